package edgemelanoma.core

/** Why a picture is not taken, by the word that golden.json and Python's audit use for it. */
enum class PictureFault(val word: String) {
    UNREADABLE("unreadable"),
    EMPTY("empty"),
    FORMAT("format"),
    DAMAGED("damaged"),
    SIZE("size"),
    CMYK("cmyk"),
    SIXTEEN_BIT("16-bit"),
    TRANSPARENT("transparent"),
    CODING("coding"),
}

/** A picture that is not taken; the message is for logs and developers, people get the words for [fault]. */
class PictureError(val fault: PictureFault, message: String, cause: Throwable? = null) : Exception(message, cause)

/** What is wrong with a bundle, as far as a person can do something about it. */
enum class BundleFault {
    NO_BUNDLE,
    CUT,
    TOO_LARGE,
    DAMAGED,
    EDITED,
    NEWER,

    /** It is whole, and this device computes something else with it than where it was made. */
    OTHER_RESULTS,
}

/** A bundle that is not used; the message is for logs and developers, people get the words for [fault]. */
class BundleError(val fault: BundleFault, message: String, cause: Throwable? = null) : Exception(message, cause)

internal fun pictureDamaged(what: String, cause: Throwable? = null) =
    PictureError(PictureFault.DAMAGED, "is damaged ($what); get an intact copy", cause)

internal fun pictureTruncated(cause: Throwable? = null) =
    PictureError(PictureFault.DAMAGED, "ends too early (a broken copy or download?); get the whole file", cause)

internal fun pictureTransparent() = PictureError(
    PictureFault.TRANSPARENT,
    "has transparent pixels, which each viewer shows on another ground; flatten it first",
)

internal fun bundleEdited(message: String, cause: Throwable? = null) = BundleError(BundleFault.EDITED, message, cause)

internal fun bundleDamaged(message: String, cause: Throwable? = null) = BundleError(BundleFault.DAMAGED, message, cause)
