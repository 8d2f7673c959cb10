@file:Suppress("unused") // named by Robolectric, not by us

package androidx.test.internal.platform

/** Stands in for androidx.test, which is on Google's Maven only: as much of it as Robolectric names. */
interface ThreadChecker {
    fun checkMainThread()

    fun checkNotMainThread()
}
