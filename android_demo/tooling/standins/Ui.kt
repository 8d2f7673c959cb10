package androidx.test.platform.ui

/** Named by Robolectric; without a method of its own, because nobody asks it here. */
interface UiController

/** Named by Robolectric. */
class InjectEventSecurityException : Exception()
