package dev.poke

import com.connectrpc.ConnectException
import okhttp3.Interceptor
import okhttp3.Response
import okhttp3.ResponseBody.Companion.asResponseBody
import okio.Buffer
import okio.ForwardingSource
import okio.Source
import okio.buffer
import java.io.EOFException
import java.io.IOException
import java.net.NoRouteToHostException
import java.net.SocketTimeoutException
import java.net.UnknownHostException
import java.security.cert.CertificateException
import javax.net.ssl.SSLHandshakeException
import javax.net.ssl.SSLPeerUnverifiedException

/** An answer that isn't gRPC: libraries make up a code for it, so the HTTP status has to decide. */
private class HttpAnswer(val status: Int) : IOException("HTTP $status without gRPC")

/** Lets only gRPC pass, in messages that are no larger than they may be. */
internal fun grpcAlone(chain: Interceptor.Chain): Response {
    val response = chain.proceed(chain.request())
    val isGrpc = response.code == 200 && response.header("content-type").orEmpty().startsWith("application/grpc")
    if (!isGrpc && response.header("grpc-status") == null) {
        response.close()
        throw HttpAnswer(response.code)
    }
    val body = response.body
    val bounded = BoundedMessages(body.source()).buffer().asResponseBody(body.contentType(), body.contentLength())
    return response.newBuilder().code(200).body(bounded).build()
}

/** No message of the contract comes near it; Connect itself would believe any length. */
private const val LARGEST_MESSAGE = 1024 * 1024

/** Fails at a message that says that it is larger. Each has a byte of flags and four of its length in front. */
private class BoundedMessages(body: Source) : ForwardingSource(body) {
    private val head = Buffer()
    private var left = 0L

    override fun read(sink: Buffer, byteCount: Long): Long {
        val count = super.read(sink, minOf(byteCount, if (left > 0) left else HEAD - head.size))
        if (count <= 0) return count
        if (left > 0) {
            left -= count
            return count
        }
        sink.copyTo(head, sink.size - count, count)
        if (head.size == HEAD) {
            head.skip(1)
            left = head.readInt().toUInt().toLong()
            if (left > LARGEST_MESSAGE) throw IOException("a message of $left bytes")
        }
        return count
    }

    private companion object {
        const val HEAD = 5L
    }
}

/** What a call has failed with, in our terms. */
internal fun ConnectException.toPokeException(): PokeException {
    val causes = generateSequence(exception) { it.cause }.take(16).toList()
    causes.firstNotNullOfOrNull { it as? HttpAnswer }?.let { return httpFailure(it.status, this) }
    val isInsecure = causes.any { it is SSLHandshakeException || it is SSLPeerUnverifiedException || it is CertificateException }
    val problem = message ?: causes.firstNotNullOfOrNull { it.message }.orEmpty()
    if (isInsecure && causes.none { it is EOFException }) {
        return PokeException(PokeException.Kind.TLS, problem, this, remedy = Remedy.RETRY)
    }
    val isUnreached = causes.any {
        it is java.net.ConnectException || it is UnknownHostException || it is NoRouteToHostException ||
            it is SocketTimeoutException
    }
    val code = if (isUnreached) Code.UNAVAILABLE else Code.of(code.value)
    val details = details.firstOrNull()?.let { Details.parse(it.payload.toByteArray()) } ?: Details()
    return failure(code, problem, details, exception)
}
