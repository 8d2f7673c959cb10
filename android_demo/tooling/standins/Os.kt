package androidx.test.internal.platform.os

import android.view.View

/** Named by Robolectric. */
interface ControlledLooper {
    fun drainMainThreadUntilIdle()

    fun simulateWindowFocus(view: View)
}
