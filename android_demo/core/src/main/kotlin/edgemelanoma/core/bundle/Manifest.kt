package edgemelanoma.core.bundle

import edgemelanoma.core.Language
import edgemelanoma.core.Notice
import edgemelanoma.core.bundleEdited
import edgemelanoma.core.capture.CaptureGate
import edgemelanoma.core.decision.DecisionRule
import edgemelanoma.core.json.JsonNull
import edgemelanoma.core.json.JsonObject
import edgemelanoma.core.json.parseJson
import edgemelanoma.core.preprocess.Contract
import edgemelanoma.core.sha256

private const val SCHEMA_VERSION = 1L
private const val NO_MEDICAL_DEVICE = "Not a medical device"

/** Size and SHA-256 of a part of the bundle. */
data class Part(val sizeBytes: Long, val sha256: String)

/** Everything that a bundle says of its model; [json] is all of it, for a model card. */
class Manifest internal constructor(val json: JsonObject) {
    private val model = json.obj("model")
    private val task = json.obj("task")

    val modelName: String = model.text("name")
    val format: String = model.text("format")
    val input: TensorFacts = TensorFacts.fromJson(model.obj("input"))
    val output: TensorFacts = TensorFacts.fromJson(model.obj("output"))
    val taskName: String = task.text("name")
    val classes: List<String> = task.texts("classes")
    val contract: Contract = Contract.fromJson(json.obj("preprocessing"))
    val rule: DecisionRule = DecisionRule.fromJson(json.obj("rule"))
    val synthetic: Boolean = json.obj("data").truth("synthetic")
    val syntheticBanner: String? = json.textOrNull("synthetic_banner")
    val notice: String = json.text("notice")
    val intendedUse: String = json.text("intended_use")
    val outOfScope: String = json.text("out_of_scope")

    /** May the model be used commercially? Its licence names the reasons where it may not. */
    val commercial: Boolean = json.obj("licence").truth("commercial")
    val captureGate: CaptureGate? =
        if (json["capture_gate"] === JsonNull) null else CaptureGate.fromJson(json.obj("capture_gate"))
    val parts: Map<String, Part> = json.obj("parts").let { parts ->
        parts.requireKeys(MODEL, LABELS, GOLDEN)
        parts.members.keys.associateWith { name ->
            val part = parts.obj(name)
            part.requireKeys("sha256", "size_bytes")
            Part(part.long("size_bytes"), part.text("sha256"))
        }
    }

    /** How many golden pictures there are. */
    val goldenPictures: Int = json.obj("golden").int("pictures")

    init {
        checkShapes()
        checkWords()
    }

    private fun checkShapes() {
        if (input.shape != listOf(1, contract.height, contract.width, 3)) {
            throw edited("its model takes $input; its preprocessing gives ${contract.width}x${contract.height}")
        }
        if (output.shape != listOf(1, classes.size)) {
            throw edited("its model returns $output for the ${classes.size} classes of its task")
        }
        if (rule.task != taskName || rule.classes != classes) {
            throw edited("its decision rule is for ${rule.task} ${rule.classes}, not for $taskName $classes")
        }
    }

    private fun checkWords() {
        if (intendedUse.isBlank() || outOfScope.isBlank()) throw edited("does not say what it is for and what not")
        if (NO_MEDICAL_DEVICE !in notice) throw edited("its notice does not say that this is not a medical device")
        val right = if (synthetic) Notice.synthetic(Language.ENGLISH) else null
        if (syntheticBanner != right) throw edited("its synthetic_banner is $syntheticBanner; $right is right")
    }

    private fun edited(what: String) = bundleEdited("${json.where}: $what")

    companion object {
        const val MODEL = "model"
        const val LABELS = "labels.txt"
        const val GOLDEN = "golden.npz"

        private val KEYS = arrayOf(
            "capture_gate", "content_sha256", "data", "gate", "golden", "intended_use", "licence", "metrics", "model",
            "notice", "out_of_scope", "parts", "preprocessing", "quantisation", "rule", "rule_before", "run",
            "schema_version", "synthetic_banner", "task",
        )

        /** The manifest in these bytes: in its one form, complete, unedited, of a version that this app knows. */
        internal fun read(data: ByteArray, name: String): Manifest {
            val where = "$name, manifest"
            val json = parseJson(data, where) as? JsonObject ?: throw bundleEdited("$where: is no object")
            json.requireVersion(SCHEMA_VERSION, "schema_version")
            val stated = json.text("content_sha256")
            if (stated != sha256("${json.without("content_sha256").canonical()}\n".toByteArray())) {
                throw bundleEdited("$where: was edited: content_sha256 is not that of its content")
            }
            if (!"${json.canonical()}\n".toByteArray().contentEquals(data)) {
                throw bundleEdited("$where: is not in the form that `edge-melanoma convert` writes; it was edited")
            }
            json.requireKeys(*KEYS)
            return Manifest(json)
        }
    }
}
