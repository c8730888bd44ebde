package dev.poke

import dev.poke.v1.Audience as WireAudience
import dev.poke.v1.Interest as WireInterest
import dev.poke.v1.Position as WirePosition

/** A message without what the contract promises. */
internal class Unreadable(problem: String) : Exception(problem)

internal fun Interest.toWire(): WireInterest =
    WireInterest.newBuilder().setDomain(domain).setFilter(filter).setAudience(audience.toWire()).build()

internal fun Audience.toWire(): WireAudience =
    if (this == Audience.CUSTOMER) WireAudience.AUDIENCE_CUSTOMER else WireAudience.AUDIENCE_UNSPECIFIED

internal fun WireAudience.toAudience(): Audience =
    if (this == WireAudience.AUDIENCE_CUSTOMER) Audience.CUSTOMER else Audience.EVERYONE

internal fun Position.toWire(): WirePosition = WirePosition.newBuilder().setEpoch(epoch).setSequence(sequence).build()

/** The interest of a message that must have one. */
internal fun interest(hasInterest: Boolean, interest: WireInterest): Interest =
    if (hasInterest) Interest(interest.domain, interest.filter, interest.audience.toAudience())
    else throw Unreadable("the message has no interest")

/** The position of a message that must have one. */
internal fun position(hasPosition: Boolean, position: WirePosition): Position =
    if (hasPosition) Position(position.epoch, position.sequence) else throw Unreadable("the message has no position")
