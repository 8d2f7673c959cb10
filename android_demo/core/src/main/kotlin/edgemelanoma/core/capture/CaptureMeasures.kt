package edgemelanoma.core.capture

import edgemelanoma.core.preprocess.Contract
import edgemelanoma.core.preprocess.Geometry
import edgemelanoma.core.preprocess.Region
import edgemelanoma.core.preprocess.Rgb

/** One picture in numbers; a share without another word is one of the pixels that are seen. */
data class CaptureMeasures(
    val widthPx: Int,
    val heightPx: Int,
    val blackShare: Double,
    val meanLuma: Double,
    val clippedShare: Double,
    val glareShare: Double,
    val sharpness: Double,
    val skinShare: Double,
    val contrast: Double,
    val lesionShare: Double,
    val centreShare: Double,
    val scatterShare: Double,
)

/** The measures of a tensor that [contract] made of a picture whose upright size is [width] x [height]. */
fun measure(tensor: Rgb, contract: Contract, width: Int, height: Int): CaptureMeasures {
    val geometry = contract.geometryOf(width, height)
    val view = View(tensor, withoutBorder(contract, geometry))
    val light = view.light()
    val lesion = view.lesion()
    return CaptureMeasures(
        widthPx = geometry.region.width,
        heightPx = geometry.region.height,
        blackShare = ratio(light.black, light.ellipse),
        meanLuma = ratio(light.luma, light.seen),
        clippedShare = ratio(light.clipped, light.seen),
        glareShare = ratio(light.glare, light.seen),
        sharpness = view.sharpness(),
        skinShare = ratio(light.skin, light.seen),
        contrast = lesion.contrast,
        lesionShare = lesion.share,
        centreShare = lesion.centreShare,
        scatterShare = lesion.scatterShare,
    )
}

/** What of the tensor is picture; one pixel more than the border, because a reduced decoding may place it otherwise. */
private fun withoutBorder(contract: Contract, geometry: Geometry): Region {
    val across = geometry.width < contract.width
    val down = geometry.height < contract.height
    return Region(
        x = if (across) geometry.x + 1 else 0,
        y = if (down) geometry.y + 1 else 0,
        width = if (across) maxOf(0, geometry.width - 2) else contract.width,
        height = if (down) maxOf(0, geometry.height - 2) else contract.height,
    )
}

/** Two whole numbers as doubles, divided once; 0 of nothing. */
internal fun ratio(part: Long, whole: Long): Double = if (whole == 0L) 0.0 else part.toDouble() / whole.toDouble()
