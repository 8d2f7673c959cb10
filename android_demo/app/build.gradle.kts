plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.android)
}

// The one place that the model comes from, here and in tooling/: -Pbundle=PATH puts another one in.
// Else the package's model, and where that is not there the tiny one, which tells reddish from bluish and nothing else.
val shipped = listOf("../edge_melanoma/models/reference.tflite", "../tests/golden/tiny/tiny_bundle.tflite")
val bundle = providers.gradleProperty("bundle").orElse(shipped.first { rootDir.resolve(it).isFile })

val copyBundle by tasks.registering(Copy::class) {
    from(bundle.map { rootDir.resolve(it) })
    into(layout.buildDirectory.dir("bundle"))
    rename { "model.tflite" }
    doFirst {
        require(rootDir.resolve(bundle.get()).isFile) { "${bundle.get()}: is no file; give -Pbundle=PATH_OF_A_BUNDLE" }
    }
}

android {
    namespace = "edgemelanoma.app"
    compileSdk = 36

    defaultConfig {
        applicationId = "edgemelanoma.app"
        minSdk = 26
        targetSdk = 36
        versionCode = 1
        versionName = "0.1.0"
    }

    // The bundle is read in place, and a phone maps what is not compressed.
    androidResources { noCompress += "tflite" }
    sourceSets["main"].assets.srcDir(copyBundle)

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }
    testOptions {
        unitTests.all { test ->
            test.useJUnitPlatform()
            // What Python computed for the statistics to compare with: `python -m tooling bench` writes it.
            providers.gradleProperty("edgemelanoma.statistics").orNull?.let { test.systemProperty("edgemelanoma.statistics", it) }
        }
    }
    lint {
        abortOnError = true
        warningsAsErrors = false
    }
}

kotlin {
    compilerOptions { jvmTarget.set(org.jetbrains.kotlin.gradle.dsl.JvmTarget.JVM_1_8) }
}

dependencies {
    implementation(project(":core"))
    implementation(libs.tensorflow.lite)
    // The tests in src/robolectric are run by tooling/ alone: they need LiteRT's desktop library, which is no artefact.
    testImplementation(libs.junit.jupiter)
    testRuntimeOnly(libs.junit.platform.launcher)
}
