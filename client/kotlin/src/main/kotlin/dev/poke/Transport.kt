package dev.poke

import dev.poke.v1.EndInterestRequest
import dev.poke.v1.EndInterestResponse
import dev.poke.v1.PublishRequest
import dev.poke.v1.PublishResponse
import dev.poke.v1.SubscribeRequest
import dev.poke.v1.SubscribeResponse
import kotlinx.coroutines.flow.Flow

/** What is spoken with the server. */
public enum class Protocol {
    /** gRPC, over HTTP/2. */
    GRPC,

    /** gRPC-Web, which also passes proxies that speak HTTP/1.1. */
    GRPC_WEB,
}

/** What a call delivers. */
internal sealed interface Signal {
    class Message(val response: SubscribeResponse) : Signal

    /** A message came that can't be read. The call goes on, but nobody knows what it was. */
    class Undecodable(val error: Exception) : Signal

    /** The server has closed the call with OK. */
    data object Closed : Signal

    class Failed(val error: PokeException) : Signal
}

/** Opens connections, and holds the one that new calls use. */
internal interface Transport {
    fun current(): Link

    /** No new call uses [link] any more: its server has said GOAWAY, or nothing comes through it. The calls on it go on. */
    fun retire(link: Link)

    fun close()
}

/** A connection, which its first call opens. Calls that fail throw [PokeException]; cancelling the coroutine cancels the call. */
internal interface Link {
    /** The messages of a call, until it ends with OK. It reads no further than they are taken. */
    fun subscribe(request: SubscribeRequest, token: String?): Flow<Signal>

    suspend fun publish(request: PublishRequest, token: String?): PublishResponse

    suspend fun endInterest(request: EndInterestRequest, token: String?): EndInterestResponse
}
