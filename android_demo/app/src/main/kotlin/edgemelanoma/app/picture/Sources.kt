package edgemelanoma.app.picture

import android.content.ClipData
import android.content.ContentResolver
import android.content.Context
import android.content.Intent
import android.net.Uri
import android.os.Build
import android.provider.MediaStore
import edgemelanoma.app.model.readAtMost
import edgemelanoma.core.PictureError
import edgemelanoma.core.PictureFault
import edgemelanoma.core.picture.MAX_PICTURE_BYTES

private const val PICKER_API = Build.VERSION_CODES.TIRAMISU

/** Asks a camera app for one picture, written to [CaptureProvider]; location and the like stay behind with the file. */
fun cameraIntent(resolver: ContentResolver): Intent = Intent(MediaStore.ACTION_IMAGE_CAPTURE).apply {
    putExtra(MediaStore.EXTRA_OUTPUT, CaptureProvider.URI)
    clipData = ClipData.newUri(resolver, "picture", CaptureProvider.URI)
    addFlags(Intent.FLAG_GRANT_WRITE_URI_PERMISSION or Intent.FLAG_GRANT_READ_URI_PERMISSION)
}

/** The ways to choose a picture, best first; what a phone does not have is found out by asking for it. */
fun pickerIntents(): List<Intent> = listOfNotNull(
    Intent(MediaStore.ACTION_PICK_IMAGES).setType("image/*").takeIf { Build.VERSION.SDK_INT >= PICKER_API },
    Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("image/*"),
)

/** The bytes of a picture that another app offers; PictureError where it does not give them. */
fun readPicture(resolver: ContentResolver, uri: Uri): ByteArray {
    // a quarter of the memory: the file is copied once without its metadata, and its pixels need room too
    val most = minOf(MAX_PICTURE_BYTES, Runtime.getRuntime().maxMemory() / 4)
    val bytes = try {
        (resolver.openInputStream(uri) ?: throw unreadable(null)).use { stream -> stream.readAtMost(most) }
    } catch (error: PictureError) {
        throw error
    } catch (error: Exception) { // a revoked right, a provider that died, and whatever it throws across
        throw unreadable(error)
    }
    return bytes ?: throw PictureError(PictureFault.SIZE, "has more than $most bytes")
}

/** The bytes that a camera app wrote, which are deleted whatever comes of them; null where it wrote nothing. */
fun takeCaptured(context: Context): ByteArray? = try {
    val file = CaptureProvider.file(context)
    if (file.length() == 0L) null else readPicture(context.contentResolver, CaptureProvider.URI)
} finally {
    CaptureProvider.forget(context)
}

private fun unreadable(cause: Exception?) =
    PictureError(PictureFault.UNREADABLE, "cannot be read: its app gave nothing", cause)
