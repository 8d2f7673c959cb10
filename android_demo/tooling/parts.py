"""The parts that the build needs, each pinned by version and SHA-256, and where the ordinary clients get them.

Kotlin's compiler, JUnit and JNA are what Gradle would take, by the versions of gradle/libs.versions.toml. What Gradle
would take from Google's Maven stands elsewhere too: D8 inside dex-translator, aapt2 inside apktool, the framework's
classes and resources in Robolectric's android-all (the whole framework, hidden parts too: that a call is public is for
lint to say), the signer in Debian.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

KOTLIN = "2.3.0"
JUNIT_PLATFORM = "1.11.4"
JNA = "5.17.0"
TENSORFLOW_LITE = "2.16.1"
API = 35  # of the framework that is compiled against here


@dataclass(frozen=True, kw_only=True)
class Part:
    """One file from outside."""

    name: str
    source: Literal["maven", "debian"]
    coordinates: str  # group:artifact:version[:type], or package=version
    sha256: str

    @property
    def file(self) -> str:
        """The name of the file as its client saves it."""
        if self.source == "debian":
            package, version = self.coordinates.split("=")
            return f"{package}_{version.replace(':', '%3a')}_all.deb"
        _, artifact, version, kind = (*self.coordinates.split(":"), "jar")[:4]
        return f"{artifact}-{version}.{kind}"


def _maven(name: str, coordinates: str, sha256: str) -> Part:
    return Part(name=name, source="maven", coordinates=coordinates, sha256=sha256)


STDLIB = _maven(
    "Kotlin's library",
    f"org.jetbrains.kotlin:kotlin-stdlib:{KOTLIN}",
    "887587c91713250ad52fe14ad9166d042c33835049890e9437f355ffc5a195b1",
)
COMPILER = (
    _maven(
        "the Kotlin compiler",
        f"org.jetbrains.kotlin:kotlin-compiler-embeddable:{KOTLIN}",
        "8dbd882fa58c3d17e683a27390288315f8b490f8e3e3b1be4dc3e280d37e285a",
    ),
    STDLIB,
    *(
        _maven("a part of the Kotlin compiler", coordinates, sha256)
        for coordinates, sha256 in (
            (
                f"org.jetbrains.kotlin:kotlin-script-runtime:{KOTLIN}",
                "db826961371d6605318d9c4e4bfcdbfac94c3a0892cdcabd55224870fead57f1",
            ),
            (
                f"org.jetbrains.kotlin:kotlin-daemon-embeddable:{KOTLIN}",
                "39bcb02d8c293aa678554c8b49d7ff84657021709283c6186e3a40806af9bd10",
            ),
            (
                "org.jetbrains.kotlin:kotlin-reflect:1.6.10",
                "3277ac102ae17aad10a55abec75ff5696c8d109790396434b496e75087854203",
            ),
            (
                "org.jetbrains.kotlinx:kotlinx-coroutines-core-jvm:1.8.0",
                "9860906a1937490bf5f3b06d2f0e10ef451e65b95b269f22daf68a3d1f5065c5",
            ),
            ("org.jetbrains:annotations:13.0", "ace2a10dc8e2d5fd34925ecac03e4988b2c0f851650c94b8cef49ba1bd111478"),
        )
    ),
)
JUNIT = _maven(
    "JUnit",
    f"org.junit.platform:junit-platform-console-standalone:{JUNIT_PLATFORM}",
    "b016ef6b1c3454d6d7c2c88ce081dabf289699686af6622d6e4e2e1b54b4a2fc",
)
JNA_PART = _maven(
    "JNA, which reaches native libraries from Java",
    f"net.java.dev.jna:jna:{JNA}",
    "b3a9408e7c51e08ef0e3bfcc08f443f6ec0f6191ba8cd7c18d53d2b22e5bdbc0",
)
FRAMEWORK = _maven(
    f"the Android framework, API {API}",
    "org.robolectric:android-all:15-robolectric-13954326",
    "e17105f6c432357e6bb278a527f8e848d01fc56ccee01be77725bea23d871990",
)
TFLITE = _maven(
    "TensorFlow Lite for Android",
    f"org.tensorflow:tensorflow-lite:{TENSORFLOW_LITE}:aar",
    "34b065817e294e7dd3569504e8b9454938ceae453b6a459da54d5f6e45d3c94e",
)
D8 = (
    _maven(
        "D8, which turns classes into dex",
        "software.coley:dex-translator:1.1.1",
        "86bb8aefe388ddf129e5bb2c2cefcc5bfa8875b0fe0efb7f3bac3e0f90129b95",
    ),
    *(
        _maven("a part of D8", coordinates, sha256)
        for coordinates, sha256 in (
            ("com.google.guava:guava:31.1-jre", "a42edc9cab792e39fe39bb94f3fca655ed157ff87a8af78e1d6ba5b07c4a00ab"),
            (
                "com.google.guava:failureaccess:1.0.1",
                "a171ee4c734dd2da837e4b16be9df4661afab72a41adaf31eb84dfdaf936ca26",
            ),
            ("it.unimi.dsi:fastutil:8.5.11", "a4093c53d1b0ce2dfe9b3d9edd4f55c9b41dc32a827932a76e2558246ad98410"),
            ("com.google.code.gson:gson:2.10.1", "4241c14a7727c34feea6507ec801318a3d4a90f070e4525681079fb94ee4c593"),
            ("org.ow2.asm:asm:9.5", "b62e84b5980729751b0458c534cf1366f727542bb8d158621335682a460f0353"),
            ("org.ow2.asm:asm-tree:9.5", "3c33a648191079aeaeaeb7c19a49b153952f9e40fe86fbac5205554ddd9acd94"),
            ("org.ow2.asm:asm-commons:9.5", "72eee9fbafb9de8d9463f20dd584a48ceeb7e5152ad4c987bfbe17dd4811c9ae"),
            ("org.ow2.asm:asm-util:9.5", "c467f1bb3c08888f47243e2d475209b34a772d627e44fca06752e18bb038bd74"),
        )
    ),
)
AAPT2 = _maven(
    "aapt2, which compiles resources",
    "org.apktool:apktool-lib:2.12.1",
    "8e1e517ba30f579d4f6cf87c806c6b8535f93db6495471ecddf7a36080a21784",
)
SIGNER = (
    Part(
        name="apksigner",
        source="debian",
        coordinates="apksigner=31.0.2-1",
        sha256="6ded96d6156f8b0bc1355e87b5fad8e6ebfcf8a694dedd9987768b37a41878d4",
    ),
    Part(
        name="the library of apksigner",
        source="debian",
        coordinates="libapksig-java=31.0.2-1",
        sha256="cfb1babb843de0c7490c4554dca31187ceb326ea7f53c9cd77e9ce46342cba59",
    ),
)

CORE_PARTS = (*COMPILER, JUNIT, JNA_PART)
APP_PARTS = (*COMPILER, FRAMEWORK, TFLITE, *D8, AAPT2, *SIGNER)
ALL_PARTS = tuple(dict.fromkeys((*CORE_PARTS, *APP_PARTS)))
