package androidx.test.runner.lifecycle

import android.app.Activity

/** The stages of an Activity, by the names that Robolectric has for them. */
enum class Stage { PRE_ON_CREATE, CREATED, STARTED, RESUMED, PAUSED, STOPPED, RESTARTED, DESTROYED }

/** The stages of an Application. */
enum class ApplicationStage { PRE_ON_CREATE, CREATED }

/** Named by Robolectric. */
fun interface ActivityLifecycleCallback {
    fun onActivityLifecycleChanged(activity: Activity?, stage: Stage?)
}

/** Named by Robolectric. */
interface ActivityLifecycleMonitor {
    fun addLifecycleCallback(callback: ActivityLifecycleCallback)

    fun removeLifecycleCallback(callback: ActivityLifecycleCallback)

    fun getLifecycleStageOf(activity: Activity): Stage
}

/** Named by Robolectric. */
interface ApplicationLifecycleMonitor

/** Where Robolectric leaves its monitor, and looks for it. */
object ActivityLifecycleMonitorRegistry {
    private var monitor: ActivityLifecycleMonitor? = null

    @JvmStatic
    fun getInstance(): ActivityLifecycleMonitor = checkNotNull(monitor) { "no monitor" }

    @JvmStatic
    fun registerInstance(monitor: ActivityLifecycleMonitor?) {
        this.monitor = monitor
    }
}

/** Takes what Robolectric registers, for nobody. */
object ApplicationLifecycleMonitorRegistry {
    @JvmStatic
    @Suppress("UNUSED_PARAMETER")
    fun registerInstance(monitor: ApplicationLifecycleMonitor?) = Unit
}
