package androidx.test.internal.platform.app

/** Named by Robolectric; without a method of its own, because nobody asks it here. */
interface ActivityInvoker
