package edgemelanoma.core

import java.security.MessageDigest

/** A number without sign from the bytes of a file; an index beyond the end throws IndexOutOfBoundsException. */
internal fun ByteArray.u8(at: Int): Int = this[at].toInt() and 0xFF

internal fun ByteArray.u16le(at: Int): Int = u8(at) or (u8(at + 1) shl 8)

internal fun ByteArray.u16be(at: Int): Int = (u8(at) shl 8) or u8(at + 1)

internal fun ByteArray.i32le(at: Int): Int = u16le(at) or (u16le(at + 2) shl 16)

internal fun ByteArray.u32le(at: Int): Long = i32le(at).toLong() and 0xFFFFFFFFL

internal fun ByteArray.i32be(at: Int): Int = (u16be(at) shl 16) or u16be(at + 2)

internal fun ByteArray.u32be(at: Int): Long = i32be(at).toLong() and 0xFFFFFFFFL

internal fun ByteArray.startsWith(prefix: ByteArray, at: Int = 0): Boolean =
    at >= 0 && at + prefix.size <= size && prefix.indices.all { this[at + it] == prefix[it] }

internal fun ascii(text: String): ByteArray = text.toByteArray(Charsets.US_ASCII)

/** The SHA-256 of bytes in hexadecimal digits. */
fun sha256(vararg pieces: ByteArray): String {
    val digest = MessageDigest.getInstance("SHA-256")
    pieces.forEach(digest::update)
    return hexadecimal(digest.digest())
}

/** The SHA-256 of a part of an array, which is not copied for it. */
internal fun sha256(bytes: ByteArray, from: Int, until: Int): String {
    val digest = MessageDigest.getInstance("SHA-256")
    digest.update(bytes, from, until - from)
    return hexadecimal(digest.digest())
}

private fun hexadecimal(bytes: ByteArray): String {
    val digits = "0123456789abcdef"
    return buildString(2 * bytes.size) {
        for (byte in bytes) append(digits[byte.toInt() shr 4 and 15]).append(digits[byte.toInt() and 15])
    }
}
