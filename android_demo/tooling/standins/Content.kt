package androidx.test.internal.platform.content

/** Named by Robolectric. */
interface PermissionGranter {
    fun addPermissions(vararg permissions: String)

    fun requestPermissions()
}
