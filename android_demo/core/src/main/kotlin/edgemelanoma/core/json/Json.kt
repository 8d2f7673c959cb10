package edgemelanoma.core.json

import edgemelanoma.core.BundleError
import edgemelanoma.core.BundleFault
import edgemelanoma.core.bundleEdited

/** A value of a manifest; numbers keep their text, so that what was read can be written again to the byte. */
sealed class Json {
    /** The value as text in the one form of manifests: keys sorted, no spaces. */
    fun canonical(): String = StringBuilder().also { writeTo(it) }.toString()

    internal abstract fun writeTo(out: StringBuilder)
}

/** A text. */
data class JsonText(val value: String) : Json() {
    override fun writeTo(out: StringBuilder) = writeText(value, out)
}

/** A number: finite, and a whole one within 64 bits. */
data class JsonNumber(val text: String) : Json() {
    /** Is it written as a whole number? */
    val isWhole: Boolean get() = text.none { it == '.' || it == 'e' || it == 'E' }

    override fun writeTo(out: StringBuilder) {
        out.append(text)
    }
}

/** `true`, `false`. */
data class JsonTruth(val value: Boolean) : Json() {
    override fun writeTo(out: StringBuilder) {
        out.append(value)
    }
}

/** `null`. */
object JsonNull : Json() {
    override fun writeTo(out: StringBuilder) {
        out.append("null")
    }
}

/** A list. */
data class JsonList(val items: List<Json>) : Json() {
    override fun writeTo(out: StringBuilder) {
        out.append('[')
        items.forEachIndexed { i, item ->
            if (i > 0) out.append(',')
            item.writeTo(out)
        }
        out.append(']')
    }
}

/** An object, with the name that messages call it by. */
class JsonObject(val where: String, val members: Map<String, Json>) : Json() {
    override fun writeTo(out: StringBuilder) {
        out.append('{')
        // Python sorts by code points, and a Kotlin text by halves of them
        members.keys.sortedWith(::compareCodePoints).forEachIndexed { i, key ->
            if (i > 0) out.append(',')
            writeText(key, out)
            out.append(':')
            members.getValue(key).writeTo(out)
        }
        out.append('}')
    }

    /** The same object without one of its members. */
    fun without(key: String) = JsonObject(where, members - key)

    /** Refuse the object where a key is missing or none of these. */
    fun requireKeys(vararg keys: String) {
        keys.find { it !in members }?.let { throw bundleEdited("$where: lacks $it") }
        members.keys.find { it !in keys }?.let {
            throw bundleEdited("$where: key \"$it\" is unknown; known: ${keys.joinToString()}")
        }
    }

    /** Refuse the object where its version is not [known]; a higher one is from a newer tool. */
    fun requireVersion(known: Long, key: String = "version") {
        val version = long(key)
        if (version > known) throw BundleError(BundleFault.NEWER, "$where: $key $version; this app reads $known")
        if (version != known) throw bundleEdited("$where: $key $version is unknown; this app reads $known")
    }

    /** A member of any kind. */
    operator fun get(key: String): Json = members[key] ?: throw bundleEdited("$where: lacks $key")

    fun text(key: String): String = (get(key) as? JsonText)?.value ?: throw wrong(key, "a text")

    fun textOrNull(key: String): String? = if (get(key) === JsonNull) null else text(key)

    fun truth(key: String): Boolean = (get(key) as? JsonTruth)?.value ?: throw wrong(key, "true or false")

    fun long(key: String): Long = whole(get(key), key)

    fun int(key: String): Int = inInt(long(key), key)

    fun double(key: String): Double = number(get(key), key)

    fun obj(key: String): JsonObject = get(key) as? JsonObject ?: throw wrong(key, "an object")

    fun list(key: String): List<Json> = (get(key) as? JsonList)?.items ?: throw wrong(key, "a list")

    fun texts(key: String): List<String> = list(key).map { (it as? JsonText)?.value ?: throw wrong(key, "texts") }

    fun ints(key: String): List<Int> = list(key).map { inInt(whole(it, key), key) }

    fun doubles(key: String): List<Double> = list(key).map { number(it, key) }

    fun objects(key: String): List<JsonObject> = list(key).map { it as? JsonObject ?: throw wrong(key, "objects") }

    private fun whole(value: Json, key: String): Long =
        (value as? JsonNumber)?.takeIf { it.isWhole }?.text?.toLongOrNull() ?: throw wrong(key, "a whole number")

    private fun inInt(value: Long, key: String): Int =
        if (value in Int.MIN_VALUE..Int.MAX_VALUE) value.toInt() else throw wrong(key, "a smaller number")

    // a whole number has another text in Python, so one in place of a fraction was not written by it
    private fun number(value: Json, key: String): Double =
        (value as? JsonNumber)?.takeUnless { it.isWhole }?.text?.toDouble() ?: throw wrong(key, "a fraction")

    private fun wrong(key: String, needed: String): Exception {
        val found = get(key).canonical()
        val shown = if (found.length > SHOWN) "${found.take(SHOWN)}…" else found
        return bundleEdited("$where: $key is $shown; $needed is needed")
    }

    private companion object {
        const val SHOWN = 60
    }
}

private fun compareCodePoints(a: String, b: String): Int {
    var i = 0
    while (i < a.length && i < b.length) {
        val left = a.codePointAt(i)
        val right = b.codePointAt(i)
        if (left != right) return left.compareTo(right)
        i += Character.charCount(left)
    }
    return a.length.compareTo(b.length)
}

private fun writeText(text: String, out: StringBuilder) {
    out.append('"')
    for (letter in text) {
        when (letter) {
            '"' -> out.append("\\\"")
            '\\' -> out.append("\\\\")
            '\n' -> out.append("\\n")
            '\r' -> out.append("\\r")
            '\t' -> out.append("\\t")
            '\b' -> out.append("\\b")
            '\u000C' -> out.append("\\f")
            else -> out.append(if (letter < ' ') "\\u" + letter.code.toString(16).padStart(4, '0') else letter)
        }
    }
    out.append('"')
}
