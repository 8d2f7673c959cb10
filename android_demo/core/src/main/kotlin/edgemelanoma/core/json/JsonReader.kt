package edgemelanoma.core.json

import edgemelanoma.core.bundleEdited
import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException
import java.nio.charset.CodingErrorAction

private const val DEEPEST = 100
private val NUMBER = Regex("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?")

/** Reads JSON strictly: UTF-8, no key twice, finite numbers, texts that can be printed. */
fun parseJson(data: ByteArray, where: String): Json {
    val text = try {
        Charsets.UTF_8.newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT)
            .onUnmappableCharacter(CodingErrorAction.REPORT)
            .decode(ByteBuffer.wrap(data))
            .toString()
    } catch (error: CharacterCodingException) {
        throw bundleEdited("$where: is not UTF-8", error)
    }
    return JsonReader(text, where).whole()
}

private class JsonReader(private val text: String, private val where: String) {
    private var at = 0

    fun whole(): Json {
        val value = value(where, 0)
        skipSpace()
        if (at != text.length) throw broken("something follows its end")
        return value
    }

    private fun value(name: String, depth: Int): Json {
        if (depth > DEEPEST) throw broken("nested too deeply")
        skipSpace()
        return when (peek()) {
            '{' -> obj(name, depth)
            '[' -> list(name, depth)
            '"' -> JsonText(string())
            't' -> word("true", JsonTruth(true))
            'f' -> word("false", JsonTruth(false))
            'n' -> word("null", JsonNull)
            else -> number()
        }
    }

    private fun obj(name: String, depth: Int): JsonObject {
        val members = LinkedHashMap<String, Json>()
        at++
        skipSpace()
        if (peek() == '}') at++ else do {
            skipSpace()
            if (peek() != '"') throw broken("a key is needed")
            val key = string()
            skipSpace()
            if (next() != ':') throw broken("a colon is needed behind \"$key\"")
            if (members.put(key, value("$name.$key", depth + 1)) != null) throw broken("has \"$key\" twice")
        } while (more('}'))
        return JsonObject(name, members)
    }

    private fun list(name: String, depth: Int): JsonList {
        val items = ArrayList<Json>()
        at++
        skipSpace()
        if (peek() == ']') at++ else do items += value("$name[${items.size}]", depth + 1) while (more(']'))
        return JsonList(items)
    }

    private fun more(end: Char): Boolean {
        skipSpace()
        return when (next()) {
            ',' -> true
            end -> false
            else -> throw broken("a comma or $end is needed")
        }
    }

    private fun word(word: String, value: Json): Json {
        if (!text.startsWith(word, at)) throw broken("an unknown word")
        at += word.length
        return value
    }

    private fun number(): Json {
        val begin = at
        while (at < text.length && (text[at].isAsciiDigit() || text[at] in "+-.eE")) at++
        val number = JsonNumber(text.substring(begin, at))
        if (!NUMBER.matches(number.text)) throw broken("a value is needed")
        val small = if (number.isWhole) number.text.toLongOrNull() != null else !number.text.toDouble().isInfinite()
        if (!small) throw broken("too large a number")
        return number
    }

    private fun string(): String {
        val out = StringBuilder()
        at++
        while (true) {
            val letter = next()
            when {
                letter == '"' -> break
                letter == '\\' -> out.append(escaped())
                letter < ' ' -> throw broken("a control character inside a text")
                else -> out.append(letter)
            }
        }
        return out.toString().also(::requirePrintable)
    }

    private fun escaped(): Char = when (val letter = next()) {
        '"', '\\', '/' -> letter
        'n' -> '\n'
        'r' -> '\r'
        't' -> '\t'
        'b' -> '\b'
        'f' -> '\u000C'
        'u' -> {
            val digits = text.substring(at, minOf(at + 4, text.length))
            if (digits.length < 4 || !digits.all { it in "0123456789abcdefABCDEF" }) throw broken("a broken \\u")
            at += 4
            digits.toInt(16).toChar()
        }
        else -> throw broken("an unknown escape")
    }

    /** What a screen or a log would obey instead of showing it is refused; a line feed is not. */
    private fun requirePrintable(value: String) {
        var i = 0
        while (i < value.length) {
            val point = value.codePointAt(i)
            i += Character.charCount(point)
            val shown = point == ' '.code || point == '\n'.code || Character.getType(point) !in UNPRINTABLE
            if (!shown) throw broken("characters that cannot be printed")
        }
    }

    private fun skipSpace() {
        while (at < text.length && text[at] in " \t\r\n") at++
    }

    private fun peek(): Char = if (at < text.length) text[at] else throw broken("it ends too early")

    private fun next(): Char = peek().also { at++ }

    private fun Char.isAsciiDigit() = this in '0'..'9'

    private fun broken(what: String) = bundleEdited("$where: is not JSON as a bundle has it ($what, at letter $at)")

    private companion object {
        // Unassigned ones are let through: they are new letters to an old phone.
        val UNPRINTABLE = setOf(
            Character.CONTROL, Character.FORMAT, Character.SURROGATE, Character.PRIVATE_USE,
            Character.SPACE_SEPARATOR, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR,
        ).map(Byte::toInt).toSet()
    }
}
