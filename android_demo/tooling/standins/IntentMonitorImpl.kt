package androidx.test.internal.runner.intent

import android.content.Intent
import androidx.test.runner.intent.IntentMonitor

/** Takes what Robolectric signals, for nobody. */
class IntentMonitorImpl : IntentMonitor {
    @Suppress("UNUSED_PARAMETER")
    fun signalIntent(intent: Intent?) = Unit
}
