"""The parts that only the app needs, pinned like those of parts.py: the Java side of TensorFlow Lite, and Robolectric.

Robolectric is what Gradle would take, but for `androidx.test`, which is on Google's Maven only; standins/ has what
Robolectric names of it.
"""

from __future__ import annotations

from .parts import TENSORFLOW_LITE, Part

ROBOLECTRIC = "4.16.1"


def _maven(name: str, coordinates: str, sha256: str) -> Part:
    return Part(name=name, source="maven", coordinates=coordinates, sha256=sha256)


TFLITE_API = _maven(
    "the Java interface of TensorFlow Lite",
    f"org.tensorflow:tensorflow-lite-api:{TENSORFLOW_LITE}:aar",
    "885b95bc9e47a4aa5cf8e71523aed9b05e397cfef1ea09773f13fea8b649fcee",
)
INSTRUMENTED = _maven(
    "the Android framework as Robolectric runs it",
    "org.robolectric:android-all-instrumented:15-robolectric-13954326-i7",
    "06c4c8602d6db7486266a982bc55834ed6dfebd62a0b88daca204139ecf142cb",
)
ENJARIFY = Part(
    name="enjarify, which turns dex back into classes",
    source="debian",
    coordinates="enjarify=1:1.0.3-5",
    sha256="040e72e7154ec1fb8fd234ebd31c3ae24d95553890fe7d8bd741da396d575f8c",
)
_LIBRARIES = (
    (f"org.robolectric:annotations:{ROBOLECTRIC}", "65a55f0b3cbcfbfc675b0c9075a30edc3b95e6e772a911d874197cc528c9d7b1"),
    ("org.ow2.asm:asm:9.8", "876eab6a83daecad5ca67eb9fcabb063c97b5aeb8cf1fca7a989ecde17522051"),
    ("org.ow2.asm:asm-commons:9.8", "3301a1c1cb4c59fcc5292648dac1d7c5aed4c0f067dfbe88873b8cdfe77404f4"),
    ("org.ow2.asm:asm-tree:9.8", "14b7880cb7c85eed101e2710432fc3ffb83275532a6a894dc4c4095d49ad59f1"),
    ("org.bouncycastle:bcprov-jdk18on:1.81", "249f396412b0c0ce67f25c8197da757b241b8be3ec4199386c00704a2457459b"),
    ("org.conscrypt:conscrypt-openjdk-uber:2.5.2", "eaf537d98e033d0f0451cd1b8cc74e02d7b55ec882da63c88060d806ba89c348"),
    ("com.google.guava:failureaccess:1.0.3", "cbfc3906b19b8f55dd7cfd6dfe0aa4532e834250d7f080bd8d211a3e246b59cb"),
    ("com.google.guava:guava:33.4.8-jre", "f3d7f57f67fd622f4d468dfdd692b3a5e3909246c28017ac3263405f0fe617ed"),
    ("org.hamcrest:hamcrest-core:1.3", "66fdef91e9739348df7a096aa384a5685f4e875584cce89386a7a47251c4d8e9"),
    ("com.ibm.icu:icu4j:77.1", "b3640b9f416a4411fd33c59abbeea8fd57d024c23e1819bf9673220a97499fe3"),
    ("javax.annotation:javax.annotation-api:1.3.2", "e04ba5195bcd555dc95650f7cc614d151e4bcd52d29a10b8aa2197f3ab89ab9b"),
    ("javax.inject:javax.inject:1", "91c77044a50c481636c32d916fd89c9118a72195390452c81065080f957de7ff"),
    ("junit:junit:4.13.2", "8e495b634469d64fb8acfa3495a065cbacc8a0fff55ce1e31007be4c16dc57d3"),
    (f"org.robolectric:junit:{ROBOLECTRIC}", "c5b1a61599347ab9a5dc692104b457cd3c31375cd6eecf9b956749309091b5e8"),
    (
        f"org.robolectric:nativeruntime:{ROBOLECTRIC}",
        "55e339282dde0466dcfbce0fd861562bed59bc43f41012d21d750d07147c9e98",
    ),
    (
        "org.robolectric:nativeruntime-dist-compat:1.0.18",
        "a6c34d92c990754e5aee076032a36f8e38fcacb5eb878ebe0a324509f3864eef",
    ),
    (f"org.robolectric:pluginapi:{ROBOLECTRIC}", "ba72852745647202c40f1937ddca813bfa1be7707f84e3f65beae2c49d592174"),
    (
        f"org.robolectric:plugins-maven-dependency-resolver:{ROBOLECTRIC}",
        "6643b0d9bfdf192a4b971f50e61aa93816b75b9a4334e693f0e2dcedc88b944a",
    ),
    (f"org.robolectric:resources:{ROBOLECTRIC}", "fb16b2c000cc1b91c6f26b6f6c08459e5b1ee35d99cfb908f20a73a05f3f962c"),
    (f"org.robolectric:robolectric:{ROBOLECTRIC}", "ebfd48a0255689b0e58a3bbc6c794dc0c0d7b48ce31006fe2613cf7548cba229"),
    (f"org.robolectric:sandbox:{ROBOLECTRIC}", "14a9bd67d4765c5d6c4ff57ddf339cb447e63df4a46bac650c093a15e2209bdf"),
    (f"org.robolectric:shadowapi:{ROBOLECTRIC}", "6f997b1c0d169a01a967dff2661a95f4c2c2b5b008e8b9e1fba0b2682d6f8c6d"),
    (
        f"org.robolectric:shadows-framework:{ROBOLECTRIC}",
        "a59802cffec783aa0e7df1489b0c2ce1126ef7cdedb940ffc378eb61e86958c8",
    ),
    (
        "com.almworks.sqlite4java:sqlite4java:1.0.392",
        "243a64470fda0e86a6fddeb0af4c7aa9426ce84e68cbfe18d75ee5da4b7e0b92",
    ),
    (f"org.robolectric:utils:{ROBOLECTRIC}", "8088e94dcaa5cd36251492b1e1155ea2b636756b2271dbbb2d325a012c8a30e2"),
    (
        f"org.robolectric:utils-reflector:{ROBOLECTRIC}",
        "f1c49f95cb3a94ec6fcebfdf1753dd12a879ce5703b3b851f63fb8b412210eb9",
    ),
)
ROBOLECTRIC_PARTS = (
    INSTRUMENTED,
    *(_maven("a part of Robolectric", coordinates, sha256) for coordinates, sha256 in _LIBRARIES),
)
