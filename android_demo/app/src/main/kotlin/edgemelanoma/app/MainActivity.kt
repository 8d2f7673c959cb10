package edgemelanoma.app

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Intent
import android.net.Uri
import android.os.Build
import android.os.Bundle
import android.view.View
import android.view.ViewGroup
import android.view.WindowManager
import android.widget.ScrollView
import android.widget.TextView
import android.window.OnBackInvokedCallback
import android.window.OnBackInvokedDispatcher
import edgemelanoma.app.page.CardPage
import edgemelanoma.app.page.LatencyPage
import edgemelanoma.app.page.PicturePage
import edgemelanoma.app.page.bringIntoSight
import edgemelanoma.app.page.part
import edgemelanoma.app.page.visible
import edgemelanoma.app.picture.CaptureProvider
import edgemelanoma.app.picture.cameraIntent
import edgemelanoma.app.picture.pickerIntents
import edgemelanoma.app.picture.readPicture
import edgemelanoma.app.picture.takeCaptured
import edgemelanoma.core.Language
import edgemelanoma.core.Notice
import java.io.IOException

private const val TAKE = 1
private const val PICK = 2
private const val SAVE = 3

/** The app's one window: a picture and what the model says of it, the model card, the latency. */
class MainActivity : Activity() {
    private lateinit var session: Session
    private var shownPage: Page? = null
    private var shownNews: Int? = null
    private var onBack: OnBackInvokedCallback? = null

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        // a picture that a camera wrote while nobody was there to read it; not when one is being taken just now
        if (savedInstanceState == null) CaptureProvider.forget(this)
        setContentView(R.layout.main)
        val kept = lastNonConfigurationInstance as? Session
        session = kept ?: Session(application as DemoApplication).apply { open() }
        session.onChange = ::show
        show()
    }

    override fun onRetainNonConfigurationInstance(): Any = session

    override fun onDestroy() {
        session.onChange = {}
        if (!isChangingConfigurations) session.close()
        super.onDestroy()
    }

    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        super.onActivityResult(requestCode, resultCode, data)
        val uri = data?.data
        when {
            requestCode == TAKE && resultCode == RESULT_OK -> session.judge { takeCaptured(applicationContext) }
            requestCode == TAKE -> CaptureProvider.forget(this)
            resultCode != RESULT_OK -> return
            requestCode == PICK && uri == null -> session.refuse(R.string.picture_unreadable)
            requestCode == PICK && uri != null -> pick(uri)
            requestCode == SAVE && uri != null -> save(uri)
        }
    }

    private fun pick(uri: Uri) {
        val resolver = applicationContext.contentResolver
        session.judge { readPicture(resolver, uri) }
    }

    private fun save(uri: Uri) {
        val resolver = applicationContext.contentResolver
        session.save { json ->
            val stream = resolver.openOutputStream(uri, "wt") ?: throw IOException("$uri: cannot be written")
            stream.use { it.write(json) }
        }
    }

    private fun show() {
        if (shownPage != session.page) open(session.page)
        showNotice()
        val page = part<View>(R.id.page)
        val ready = (session.opening as? Opening.Done)?.ready
        when (session.page) {
            Page.PICTURE -> PicturePage(page, session).show()
            Page.CARD -> if (ready != null) CardPage(page).show(ready.bundle)
            Page.LATENCY -> LatencyPage(page, session).show()
        }
        keepPrivate()
        val found = news()
        if (found != shownNews && found != null) part<ScrollView>(R.id.scroll).bringIntoSight(part(found))
        shownNews = found
    }

    /** What is to be seen at once when it comes, wherever the button for it was scrolled to. */
    private fun news(): Int? {
        val (judging, timing) = session.judging to session.timing
        return when (session.page) {
            Page.CARD -> null
            Page.PICTURE -> when {
                session.opening is Opening.Refused || judging is Judging.Refused -> R.id.trouble
                judging is Judging.Answered -> R.id.result
                else -> null
            }
            Page.LATENCY -> when {
                timing is Timing.Nothing && timing.words == null -> null
                timing is Timing.Done && timing.words == null -> R.id.rows
                else -> R.id.latency_progress
            }
        }
    }

    private fun showNotice() {
        val language = Language.of(resources.configuration.locales[0].language)
        part<TextView>(R.id.notice).text = Notice.text(language)
        val manifest = (session.opening as? Opening.Done)?.ready?.bundle?.manifest
        part<TextView>(R.id.synthetic).apply {
            visible = manifest?.synthetic == true
            text = Notice.synthetic(language)
        }
    }

    /** While a picture is shown, the system keeps no image of the window either, for its list of recent apps. */
    private fun keepPrivate() {
        val private = session.page == Page.PICTURE && session.judging is Judging.Answered
        val secure = WindowManager.LayoutParams.FLAG_SECURE
        window.setFlags(if (private) secure else 0, secure)
    }

    private fun open(page: Page) {
        shownPage = page
        val into = part<ViewGroup>(R.id.page)
        into.removeAllViews()
        val layout = when (page) {
            Page.PICTURE -> R.layout.page_picture
            Page.CARD -> R.layout.page_card
            Page.LATENCY -> R.layout.page_latency
        }
        layoutInflater.inflate(layout, into)
        part<ScrollView>(R.id.scroll).bringIntoSight(into)
        listenToBack(page != Page.PICTURE)
        if (page == Page.PICTURE) {
            onClick(R.id.take) { if (session.opening is Opening.Refused) tryAgain() else take() }
            onClick(R.id.pick) { ask(PICK, pickerIntents(), R.string.no_picker) }
            onClick(R.id.show_card) { session.page = Page.CARD }
            onClick(R.id.show_latency) { session.page = Page.LATENCY }
        } else {
            onClick(R.id.back) { back() }
        }
        if (page == Page.LATENCY) {
            onClick(R.id.measure) { session.measure() }
            onClick(R.id.stop) { session.stopMeasuring() }
            onClick(R.id.save) { ask(SAVE, listOf(saveIntent()), R.string.latency_not_saved) }
        }
    }

    private fun onClick(id: Int, act: () -> Unit) = part<View>(id).setOnClickListener { act() }

    private fun take() = ask(TAKE, listOf(cameraIntent(contentResolver)), R.string.no_camera)

    private fun <V : View> part(id: Int): V = window.decorView.part(id)

    private fun tryAgain() {
        session.open()
        show()
    }

    /** Starts the first of these that the phone has. */
    private fun ask(request: Int, intents: List<Intent>, without: Int) {
        for (intent in intents) {
            try {
                startActivityForResult(intent, request)
                return
            } catch (error: ActivityNotFoundException) {
                continue
            } catch (error: SecurityException) { // an app that offers it and does not let others use it
                continue
            }
        }
        session.refuse(without)
    }

    private fun saveIntent() = Intent(Intent.ACTION_CREATE_DOCUMENT)
        .addCategory(Intent.CATEGORY_OPENABLE)
        .setType("application/json")
        .putExtra(Intent.EXTRA_TITLE, "bench.json")

    private fun back() {
        if (session.page == Page.LATENCY) session.stopMeasuring()
        session.page = Page.PICTURE
    }

    private fun listenToBack(listen: Boolean) {
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.TIRAMISU) return
        onBack?.let(onBackInvokedDispatcher::unregisterOnBackInvokedCallback)
        onBack = if (!listen) null else OnBackInvokedCallback { back() }.also {
            onBackInvokedDispatcher.registerOnBackInvokedCallback(OnBackInvokedDispatcher.PRIORITY_DEFAULT, it)
        }
    }

    @Deprecated("Android calls it up to version 12")
    override fun onBackPressed() {
        @Suppress("DEPRECATION")
        if (session.page == Page.PICTURE) super.onBackPressed() else back()
    }
}
