package androidx.test.internal.platform.util

/** Says nothing of threads. */
object TestOutputEmitter {
    @JvmStatic
    @Suppress("UNUSED_PARAMETER")
    fun dumpThreadStates(file: String?) = Unit
}
