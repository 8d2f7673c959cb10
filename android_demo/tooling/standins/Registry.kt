package androidx.test.platform.app

import android.app.Instrumentation
import android.os.Bundle

/** Where Robolectric leaves its instrumentation, and looks for it. */
object InstrumentationRegistry {
    private var instrumentation: Instrumentation? = null

    @JvmStatic
    fun getInstrumentation(): Instrumentation = checkNotNull(instrumentation) { "no instrumentation" }

    @JvmStatic
    @Suppress("UNUSED_PARAMETER")
    fun registerInstance(instrumentation: Instrumentation?, arguments: Bundle?) {
        this.instrumentation = instrumentation
    }
}
