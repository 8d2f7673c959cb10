package edgemelanoma.core.bundle

import edgemelanoma.core.BundleError
import edgemelanoma.core.BundleFault
import edgemelanoma.core.ascii
import edgemelanoma.core.bundleDamaged
import edgemelanoma.core.bundleEdited
import edgemelanoma.core.sha256
import edgemelanoma.core.startsWith

/** The largest file that is read as a bundle. */
const val MAX_BUNDLE_BYTES = 256L shl 20

private const val MANIFEST = "manifest.json"
private val LIMITS = linkedMapOf(
    Manifest.LABELS to (1 shl 16),
    Manifest.GOLDEN to MAX_GOLDEN_BYTES,
    MANIFEST to (4 shl 20),
)

/** A model with everything that is needed to use it, found whole and consistent. */
class Bundle internal constructor(
    val manifest: Manifest,
    val golden: List<GoldenVector>,
    val sha256: String,
    private val file: ByteArray,
    val modelBytes: Int,
) {
    /** The .tflite alone, copied. */
    fun model(): ByteArray = file.copyOf(modelBytes)
}

/** The bundle in these bytes, after every check that needs no interpreter; BundleError says what is wrong. */
fun readBundle(data: ByteArray, name: String = "bundle"): Bundle {
    if (data.size > MAX_BUNDLE_BYTES) {
        throw BundleError(BundleFault.TOO_LARGE, "$name: has ${data.size} bytes; at most $MAX_BUNDLE_BYTES are read")
    }
    if (!hasArchive(data)) throw noArchive(data, name)
    val archive = readArchive(data, LIMITS, name)
    val manifest = Manifest.read(archive.entries.getValue(MANIFEST), name)
    checkParts(data, archive, manifest, name)
    val labels = manifest.classes.joinToString("") { "$it\n" }.toByteArray()
    if (!archive.entries.getValue(Manifest.LABELS).contentEquals(labels)) {
        throw bundleEdited("$name: ${Manifest.LABELS} does not hold the classes of its task: ${manifest.classes}")
    }
    checkEnds(data.copyOf(archive.start), manifest, name)
    val golden = readGolden(
        archive.entries.getValue(Manifest.GOLDEN),
        manifest.input,
        manifest.output,
        manifest.rule,
        "$name, ${Manifest.GOLDEN}",
    )
    if (golden.size != manifest.goldenPictures) {
        throw bundleEdited("$name: has ${golden.size} golden pictures; the manifest says ${manifest.goldenPictures}")
    }
    return Bundle(manifest, golden, sha256(data), data, archive.start)
}

private fun checkParts(data: ByteArray, archive: Archive, manifest: Manifest, name: String) {
    val entries = archive.entries.filterKeys { it != MANIFEST }
    val found = entries.mapValues { Part(it.value.size.toLong(), sha256(it.value)) }
    val model = Part(archive.start.toLong(), sha256(data, 0, archive.start))
    for ((part, facts) in found + (Manifest.MODEL to model)) {
        val stated = manifest.parts.getValue(part)
        if (stated != facts) throw bundleDamaged("$name: $part is $facts, not what the manifest names: $stated")
    }
}

private fun checkEnds(model: ByteArray, manifest: Manifest, name: String) {
    val (input, output) = modelEnds(model, name)
    if (input != manifest.input) throw bundleEdited("$name: its input is $input; the manifest says ${manifest.input}")
    if (output != manifest.output) {
        throw bundleEdited("$name: its output is $output; the manifest says ${manifest.output}")
    }
}

/** Says what a file is that does not end as a bundle does. */
private fun noArchive(data: ByteArray, name: String): BundleError {
    if (!data.startsWith(ascii("TFL3"), 4)) {
        return BundleError(BundleFault.NO_BUNDLE, "$name: is neither a bundle nor a .tflite")
    }
    val zip = ascii("PK\u0003\u0004")
    val begun = (0..data.size - zip.size).any { data.startsWith(zip, it) }
    return if (begun) {
        BundleError(BundleFault.CUT, "$name: is cut off, or has bytes behind its archive; get the file again")
    } else {
        BundleError(BundleFault.NO_BUNDLE, "$name: is a plain .tflite; `edge-melanoma convert` writes bundles")
    }
}
