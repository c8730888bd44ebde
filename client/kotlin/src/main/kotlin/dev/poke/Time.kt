package dev.poke

import kotlin.random.Random
import kotlin.time.Duration
import kotlin.time.Duration.Companion.days
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.nanoseconds
import kotlin.time.Duration.Companion.seconds
import com.google.protobuf.Duration as WireDuration

/** A time on a clock that counts sleep, from any start. [NEVER] is after each of them. */
internal typealias Moment = Duration

internal val NEVER: Moment = Duration.INFINITE

/** How long a sleep of the device can go unnoticed after it has woken up. */
internal val GLANCE: Duration = 5.seconds

private val BACKOFF_MIN = 500.milliseconds
private val BACKOFF_MAX = 30.seconds

/** A uniformly random part of a duration. Tests load the dice. */
internal typealias Dice = (Duration) -> Duration

internal val fairDice: Dice = { it * Random.nextDouble() }

/**
 * Android's `SystemClock.elapsedRealtimeNanos`, which counts what the device sleeps; elsewhere `System.nanoTime`. Found by
 * name, so that this builds and runs without Android.
 */
internal fun deviceClock(): () -> Moment {
    val android = runCatching { Class.forName("android.os.SystemClock").getMethod("elapsedRealtimeNanos") }.getOrNull()
    return { (android?.invoke(null) as Long? ?: System.nanoTime()).nanoseconds }
}

/** Full jitter below a bound that doubles. */
internal class Backoff {
    private var failures = 0

    /** The next wait, below [largest]. */
    fun next(dice: Dice, largest: Duration = BACKOFF_MAX): Duration {
        val bound = minOf(BACKOFF_MIN * (1 shl minOf(failures, 16)), largest)
        failures++
        return dice(bound)
    }

    /** The first wait of a row is below [spread]. */
    fun nextSpread(dice: Dice, spread: Duration): Duration {
        if (failures > 0) return next(dice)
        failures = 1
        return dice(spread)
    }

    /** For attempts that have only so much time [left]: a wait takes half of it at most. */
    fun nextBefore(dice: Dice, left: Duration): Duration = next(dice, (left / 2).coerceIn(BACKOFF_MIN, BACKOFF_MAX))

    fun reset() {
        failures = 0
    }
}

/** A duration from the wire: none if negative, and a day at most, since what is longer is no plan. */
internal fun WireDuration.bounded(): Duration = (seconds.seconds + nanos.nanoseconds).coerceIn(Duration.ZERO, 1.days)
