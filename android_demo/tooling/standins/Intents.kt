package androidx.test.runner.intent

import android.app.Instrumentation
import android.content.Intent

/** Named by Robolectric. */
interface IntentMonitor

/** Named by Robolectric. */
interface IntentStubber {
    fun getActivityResultForIntent(intent: Intent): Instrumentation.ActivityResult?
}

/** Takes what Robolectric registers, for nobody. */
object IntentMonitorRegistry {
    @JvmStatic
    @Suppress("UNUSED_PARAMETER")
    fun registerInstance(monitor: IntentMonitor?) = Unit
}

/** Has no stubs. */
object IntentStubberRegistry {
    @JvmStatic
    fun isLoaded(): Boolean = false

    @JvmStatic
    fun getInstance(): IntentStubber = error("no stubs here")
}
