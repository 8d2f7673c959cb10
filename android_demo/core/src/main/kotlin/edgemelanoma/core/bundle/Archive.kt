package edgemelanoma.core.bundle

import edgemelanoma.core.BundleError
import edgemelanoma.core.BundleFault
import edgemelanoma.core.ascii
import edgemelanoma.core.bundleDamaged
import edgemelanoma.core.bundleEdited
import edgemelanoma.core.i32le
import edgemelanoma.core.startsWith
import edgemelanoma.core.u16le
import edgemelanoma.core.u32le
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.zip.CRC32

private const val LOCAL = 0x04034b50
private const val CENTRAL = 0x02014b50
private const val END = 0x06054b50
private const val LOCAL_BYTES = 30
private const val CENTRAL_BYTES = 46
private const val END_BYTES = 22
private const val ONE_FORM = "the archive must be exactly as `edge-melanoma convert` writes it"

/** A zip behind something else: where it begins, and its entries in order. */
class Archive(val start: Int, val entries: Map<String, ByteArray>)

/** An entry as the directory has it; both of its headers follow from this. */
private class Entry(val name: String, val crc: Int, val size: Int, val offset: Int) {
    val contentStart get() = offset + LOCAL_BYTES + name.length
    val contentEnd get() = contentStart + size

    fun local(): ByteArray = header(LOCAL_BYTES + name.length) {
        putInt(LOCAL)
        putCommon()
        put(ascii(name))
    }

    fun central(): ByteArray = header(CENTRAL_BYTES + name.length) {
        putInt(CENTRAL)
        putShort((MADE_BY_UNIX or VERSION).toShort())
        putCommon()
        putShort(0).putShort(0).putShort(0)
        putInt(REGULAR_FILE)
        putInt(offset)
        put(ascii(name))
    }

    private fun ByteBuffer.putCommon() {
        putShort(VERSION.toShort()).putShort(0).putShort(0).putShort(0).putShort(FIRST_DATE)
        putInt(crc).putInt(size).putInt(size)
        putShort(name.length.toShort()).putShort(0)
    }

    private companion object {
        const val VERSION = 20
        const val MADE_BY_UNIX = 3 shl 8
        const val FIRST_DATE: Short = 33
        const val REGULAR_FILE = 33188 shl 16
    }
}

/** Does the file end as one of ours does? */
internal fun hasArchive(data: ByteArray): Boolean = data.size >= END_BYTES && data.i32le(data.size - END_BYTES) == END

/** The zip at the end of [data]: exactly the entries of [limits], in that order, none larger than its limit. */
internal fun readArchive(data: ByteArray, limits: Map<String, Int>, name: String): Archive {
    val end = data.size - END_BYTES
    val directory = directoryStart(data, limits.size, name)
    val entries = readEntries(data, directory, end, limits, name)
    entries.forEachIndexed { i, entry ->
        val next = if (i + 1 < entries.size) entries[i + 1].offset else directory
        if (entry.contentEnd != next) {
            throw bundleEdited("$name: ${entry.name} overlaps what follows it, or leaves a gap; $ONE_FORM")
        }
    }
    val contents = entries.associate { entry -> entry.name to content(data, entry, name) }
    if (!data.copyOfRange(directory, data.size).contentEquals(tail(entries, directory))) {
        throw bundleEdited("$name: the directory of its archive was changed; $ONE_FORM")
    }
    return Archive(entries.first().offset, contents)
}

private fun directoryStart(data: ByteArray, expected: Int, name: String): Int {
    val end = data.size - END_BYTES
    if (!hasArchive(data)) {
        throw BundleError(BundleFault.CUT, "$name: does not end with the directory of an archive; it is cut off")
    }
    val count = data.u16le(end + 10)
    if (count != expected) {
        throw bundleEdited("$name: its archive says that it has $count entries; a bundle's has $expected")
    }
    val size = data.u32le(end + 12)
    val offset = data.u32le(end + 16)
    if (offset + size != end.toLong()) {
        throw bundleEdited("$name: the directory of its archive does not lie where its end says; $ONE_FORM")
    }
    return offset.toInt()
}

private fun readEntries(
    data: ByteArray,
    directory: Int,
    end: Int,
    limits: Map<String, Int>,
    name: String,
): List<Entry> {
    var place = directory
    return limits.map { (wanted, limit) ->
        val stop = place + CENTRAL_BYTES + wanted.length
        if (stop > end) throw bundleEdited("$name: the directory of its archive ends before $wanted; $ONE_FORM")
        if (data.u16le(place + 28) != wanted.length || !data.startsWith(ascii(wanted), place + CENTRAL_BYTES)) {
            throw bundleEdited("$name: its archive holds something else where $wanted has to be; $ONE_FORM")
        }
        val size = data.u32le(place + 24)
        val offset = data.u32le(place + 42)
        if (size > limit) throw bundleEdited("$name: $wanted says that it has $size bytes; at most $limit are read")
        if (offset + LOCAL_BYTES + wanted.length + size > directory) {
            throw bundleEdited("$name: $wanted reaches into the directory of its archive; $ONE_FORM")
        }
        Entry(wanted, data.i32le(place + 16), size.toInt(), offset.toInt()).also { place = stop }
    }
}

private fun content(data: ByteArray, entry: Entry, name: String): ByteArray {
    if (!data.copyOfRange(entry.offset, entry.contentStart).contentEquals(entry.local())) {
        throw bundleEdited("$name: the header of ${entry.name} was changed; $ONE_FORM")
    }
    val content = data.copyOfRange(entry.contentStart, entry.contentEnd)
    if (CRC32().apply { update(content) }.value.toInt() != entry.crc) {
        throw bundleDamaged("$name: ${entry.name} is damaged (its checksum differs); get the file again")
    }
    return content
}

private fun tail(entries: List<Entry>, offset: Int): ByteArray {
    val directory = entries.map { it.central() }
    val size = directory.sumOf { it.size }
    return header(size + END_BYTES) {
        directory.forEach { put(it) }
        putInt(END).putShort(0).putShort(0)
        putShort(entries.size.toShort()).putShort(entries.size.toShort())
        putInt(size).putInt(offset).putShort(0)
    }
}

private inline fun header(size: Int, fill: ByteBuffer.() -> Unit): ByteArray =
    ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN).apply(fill).array()
