// Pure Kotlin: no Android import may appear here, so that the JVM can prove what the phone runs.
plugins {
    alias(libs.plugins.kotlin.jvm)
}

kotlin {
    compilerOptions {
        jvmTarget.set(org.jetbrains.kotlin.gradle.dsl.JvmTarget.JVM_1_8)
        // Java's library as Android 8 has it: nothing newer can slip in
        freeCompilerArgs.add("-Xjdk-release=1.8")
        allWarningsAsErrors.set(true)
    }
}

java {
    sourceCompatibility = JavaVersion.VERSION_1_8
    targetCompatibility = JavaVersion.VERSION_1_8
}

dependencies {
    testImplementation(libs.junit.jupiter)
    testImplementation(libs.jna)
    testRuntimeOnly(libs.junit.platform.launcher)
}

tasks.test {
    useJUnitPlatform()
    systemProperty("edgemelanoma.golden", rootDir.resolve("../tests/golden").path)
    // What Python computed for these tests to compare with: `python -m tooling expectations FOLDER` writes it.
    for (name in listOf("edgemelanoma.expectations", "edgemelanoma.litert")) {
        providers.gradleProperty(name).orNull?.let { systemProperty(name, it) }
    }
}
