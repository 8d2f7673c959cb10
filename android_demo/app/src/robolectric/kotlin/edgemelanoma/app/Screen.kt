package edgemelanoma.app

import android.app.Activity
import android.content.Intent
import android.graphics.Bitmap
import android.graphics.Canvas
import android.net.Uri
import android.os.Looper
import android.view.View
import android.widget.Button
import android.widget.TextView
import edgemelanoma.core.decision.Decision
import org.junit.Assert.assertTrue
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import java.io.InputStream

private const val PATIENCE_MS = 60_000L

/** The app as a person in front of it has it. */
class Screen : AutoCloseable {
    val controller: ActivityController<MainActivity> = Robolectric.buildActivity(MainActivity::class.java).setup()

    /** The Activity that is shown now; a rotation makes another one. */
    val activity: MainActivity get() = controller.get()

    val session: Session get() = MainActivity::class.java.getDeclaredField("session").run {
        isAccessible = true
        get(activity) as Session
    }

    fun <V : View> view(id: Int): V = checkNotNull(activity.findViewById<V>(id))

    fun text(id: Int): String = view<TextView>(id).text.toString()

    fun isShown(id: Int): Boolean = activity.findViewById<View>(id)?.isShown == true

    fun button(id: Int): Button = view(id)

    fun click(id: Int) {
        assertTrue("${button(id).text} is not enabled", button(id).isEnabled)
        button(id).performClick()
        shadowOf(Looper.getMainLooper()).idle()
    }

    /** Lets the worker and the main thread go on until it is so. */
    fun await(what: String, so: () -> Boolean) {
        val until = System.currentTimeMillis() + PATIENCE_MS
        while (!so()) {
            check(System.currentTimeMillis() < until) { "waited in vain until $what" }
            Thread.sleep(2)
            shadowOf(Looper.getMainLooper()).idle()
        }
    }

    fun opened(): Screen = apply { await("the bundle is open") { session.opening !is Opening.Running } }

    /** Chooses a picture that another app gives in this way, and waits for what is said of it. */
    fun pick(content: () -> InputStream?) {
        val uri = Uri.parse("content://elsewhere/picture")
        shadowOf(activity.contentResolver).registerInputStreamSupplier(uri) { content() }
        click(R.id.pick)
        answer(Intent().setData(uri))
        settled()
    }

    fun settled() = await("the picture is judged") { session.judging !is Judging.Running }

    /** The app that was asked comes back with this. */
    fun answer(data: Intent?, result: Int = Activity.RESULT_OK) {
        val asked = shadowOf(activity).nextStartedActivityForResult
        shadowOf(activity).receiveResult(asked.intent, result, data)
        shadowOf(Looper.getMainLooper()).idle()
    }

    /** Draws the window with Android's own graphics. */
    fun picture(): Bitmap {
        val view = activity.window.decorView
        return Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888).also { view.draw(Canvas(it)) }
    }

    /** Chooses a picture that Python decides on so. */
    fun judge(decision: Decision) {
        val name = predictions().first { it.text("decision") == decision.word }.text("picture")
        pick { given("expectations").resolve("pictures/$name").inputStream() }
    }

    /** Keeps the window as a PNG, to be looked at. */
    fun save(name: String) {
        given("screens").mkdirs()
        val file = given("screens").resolve("$name.png")
        file.outputStream().use { picture().compress(Bitmap.CompressFormat.PNG, 100, it) }
    }

    override fun close() {
        controller.pause().stop().destroy()
        shadowOf(Looper.getMainLooper()).idle()
    }
}

/** Runs with a fresh app, closed at the end. */
fun onScreen(act: Screen.() -> Unit) = Screen().use { it.opened().act() }

/** The same, where the bundle is in order. */
fun onReadyScreen(act: Screen.() -> Unit) = onScreen {
    assertTrue(text(R.id.trouble_words), session.opening is Opening.Done)
    act()
}

/** The same in a window, a language and a font of a test's choice. */
fun onReadyScreen(qualifiers: String, fontScale: Float = 1f, act: Screen.() -> Unit) {
    RuntimeEnvironment.setQualifiers("$qualifiers-xhdpi")
    RuntimeEnvironment.setFontScale(fontScale)
    onReadyScreen(act)
}
