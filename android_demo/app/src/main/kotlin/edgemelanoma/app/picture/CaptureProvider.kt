package edgemelanoma.app.picture

import android.content.ContentProvider
import android.content.ContentValues
import android.content.Context
import android.database.Cursor
import android.net.Uri
import android.os.ParcelFileDescriptor
import java.io.File
import java.io.FileNotFoundException

/**
 * The place that a camera app may write one picture to, and nobody else may read.
 *
 * A file in the app's own cache, deleted as soon as it is read; a pipe would need none, but cameras go back in what
 * they write.
 */
class CaptureProvider : ContentProvider() {
    override fun onCreate(): Boolean = true

    override fun openFile(uri: Uri, mode: String): ParcelFileDescriptor {
        val app = context
        if (uri != URI || app == null) throw FileNotFoundException("$uri: is not offered here")
        return ParcelFileDescriptor.open(file(app), ParcelFileDescriptor.parseMode(mode))
    }

    override fun getType(uri: Uri): String? = if (uri == URI) "image/jpeg" else null

    override fun query(
        uri: Uri,
        projection: Array<out String>?,
        selection: String?,
        selectionArgs: Array<out String>?,
        sortOrder: String?,
    ): Cursor? = null

    override fun insert(uri: Uri, values: ContentValues?): Uri? = null

    override fun update(
        uri: Uri,
        values: ContentValues?,
        selection: String?,
        selectionArgs: Array<out String>?,
    ): Int = 0

    override fun delete(uri: Uri, selection: String?, selectionArgs: Array<out String>?): Int = 0

    companion object {
        /** The one picture. */
        val URI: Uri = Uri.parse("content://edgemelanoma.app.capture/picture")

        /** Where it lies until it is read. */
        fun file(context: Context) = File(context.cacheDir, "capture.jpg")

        /** Leaves nothing of a picture behind. */
        fun forget(context: Context) {
            file(context).delete()
        }
    }
}
