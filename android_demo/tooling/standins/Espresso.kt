package androidx.test.espresso

import android.os.Looper

/** Named by Robolectric. */
interface IdlingResource {
    fun getName(): String

    /** Named by Robolectric. */
    interface ResourceCallback
}

/** Waits for nothing. */
class IdlingRegistry {
    val resources: Collection<IdlingResource> = emptyList()
    val loopers: Collection<Looper> = emptyList()

    companion object {
        private val only = IdlingRegistry()

        @JvmStatic
        fun getInstance(): IdlingRegistry = only
    }
}
