"""The Android app: its Activity under Robolectric, its statistics against Python's, and the APK that comes out.

Without a JDK, or where a part cannot be fetched, what needs them is skipped with the reason; `make android` fails then.
"""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import pytest

from edge_melanoma.benchmarks.device.page import to_html, to_markdown
from edge_melanoma.benchmarks.device.result import read_report
from edge_melanoma.benchmarks.device.telling import host_rows, measured_rows, overview
from edge_melanoma.capture.limits import CODES
from edge_melanoma.picture import decode, open_picture

DEMO = Path(__file__).parents[1] / "android_demo"
SOURCES = DEMO / "app" / "src" / "main"
OUT = DEMO / "build" / "make" / "app"
MISSING_PART = 5
STEPS = ("app", "bench", "screen", "apk", "recovered")
ANDROID = "{http://schemas.android.com/apk/res/android}"


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """The reports of the app's steps, by name."""
    command = [sys.executable, "-m", "tooling", *STEPS]
    done = subprocess.run(command, cwd=DEMO, env=os.environ, capture_output=True, text=True, timeout=2400)
    if done.returncode == MISSING_PART:
        pytest.skip(done.stderr.strip())
    print(done.stdout, done.stderr)
    reports = json.loads((DEMO / "build" / "make" / "report.json").read_text(encoding="utf-8"))
    found = {report["name"]: report for report in reports}
    assert set(found) == set(STEPS), done.stdout + done.stderr
    return found


@pytest.fixture
def tooling(monkeypatch):
    """The tooling as a package: it is a program of android_demo/ and not installed."""
    monkeypatch.syspath_prepend(str(DEMO))
    from tooling import apk, app, decode_check

    return app, apk, decode_check


@pytest.mark.android
@pytest.mark.timeout(2500)
@pytest.mark.parametrize("step", STEPS)
def test_a_step_of_the_app_passes(steps, step):
    assert steps[step]["passed"], steps[step]["problems"]


@pytest.mark.android
@pytest.mark.timeout(2500)
def test_the_screen_shows_what_python_decides_and_its_decoder_is_pillows(steps):
    facts = steps["screen"]["facts"]
    assert facts["tests"] >= 13
    assert int(facts["golden JPEGs and reductions that Robolectric's Skia decodes to Pillow's bytes"]) >= 75
    assert int(facts["refused golden pictures that get their sentence"]) >= 30
    assert int(facts["windows, fonts, languages and states in which all can be read"]) >= 58
    assert int(facts["languages and states in which a screen reader finds a name for everything"]) >= 16


@pytest.mark.android
@pytest.mark.timeout(2500)
def test_the_report_of_the_latency_screen_is_one_that_bench_reads(steps):
    report = read_report((OUT / "bench.json").read_bytes(), name="bench.json")
    (found,) = report.measurements
    assert report.exit_code == 0
    assert found.model.queries >= 3 * 64
    assert found.model.p90_ms is not None
    assert [one.series.queries >= 3 * 64 for one in found.end_to_end] == [True]
    assert host_rows(found.device, found.settings)
    assert measured_rows(found)
    assert overview(report)
    stages = {name for one in found.end_to_end for name in one.stages_ms}
    page, markdown = to_html(report), to_markdown(report)
    assert stages
    assert [name for name in stages if f"<title>{name}: " not in page] == []
    assert [name for name in stages if f"{name} " not in markdown] == []


@pytest.mark.android
@pytest.mark.timeout(2500)
def test_the_apk_asks_for_nothing_and_its_libraries_are_read_as_readelf_does(steps, tooling):
    _, apk, _ = tooling
    facts = steps["apk"]["facts"]
    assert "v2" in facts["signature schemes"]
    assert facts["methods"] < 65536 * facts["dex files"]
    if shutil.which("readelf") is None:
        pytest.skip("readelf (binutils) is not installed")
    with zipfile.ZipFile(OUT / "edge-melanoma-demo.apk") as archive:
        library = archive.read("lib/arm64-v8a/libtensorflowlite_jni.so")
    (OUT / "taken-out").mkdir(exist_ok=True)
    place = OUT / "taken-out" / "arm64.so"
    place.write_bytes(library)
    told = subprocess.run(["readelf", "-lW", place], capture_output=True, text=True, check=True).stdout
    aligned = [int(line.split()[-1], 16) for line in told.splitlines() if line.strip().startswith("LOAD")]
    assert apk.page_of(library) == min(aligned)


@pytest.mark.android
@pytest.mark.timeout(2500)
def test_an_apk_that_was_changed_is_found_out(steps, tooling, tmp_path):
    _, apk, _ = tooling
    from tooling.places import DEFAULT_BUNDLE

    built, bundle = OUT / "edge-melanoma-demo.apk", DEFAULT_BUNDLE
    changed = tmp_path / "changed.apk"
    data = bytearray(built.read_bytes())
    place = next(entry.begins_at for entry in apk.entries(built) if entry.name == apk.MODEL)
    data[place + 2000] ^= 1
    changed.write_bytes(data)
    with zipfile.ZipFile(changed) as archive, pytest.raises(zipfile.BadZipFile):
        archive.read(apk.MODEL)
    from tooling.android_tools import run_apksigner
    from tooling.java import JavaFailedError

    with pytest.raises(JavaFailedError):
        run_apksigner(["verify", "--min-sdk-version", "26", changed])
    assert apk.check_apk(built, bundle)[1] == []


@pytest.mark.android
@pytest.mark.timeout(2500)
def test_an_apk_that_asks_for_the_internet_or_opens_another_door_is_found_out(steps, tooling, tmp_path):
    _, apk, _ = tooling
    from tooling.android_tools import framework, run_aapt2

    manifest, linked = tmp_path / "AndroidManifest.xml", tmp_path / "linked.apk"
    text = (OUT / "AndroidManifest.xml").read_text(encoding="utf-8")
    text = text.replace(
        "<uses-feature", '<uses-permission android:name="android.permission.INTERNET"/><uses-feature', 1
    )
    text = text.replace('exported="false"', 'exported="true"').replace('allowBackup="false"', 'allowBackup="true"')
    manifest.write_text(text, encoding="utf-8")
    versions = ["--min-sdk-version", "26", "--target-sdk-version", "35"]
    run_aapt2(["link", "--manifest", manifest, "-I", framework(), "-o", linked, *versions, OUT / "res.zip"])
    found = "\n".join(apk._manifest(linked))
    assert "android.permission.INTERNET" in found
    assert "does not refuse backups" in found
    assert "['activity', 'provider']" in found


def test_the_manifest_has_no_permission_and_one_open_door():
    manifest = ElementTree.parse(SOURCES / "AndroidManifest.xml").getroot()
    assert [element.tag for element in manifest if "permission" in element.tag] == []
    application = manifest.find("application")
    assert application.get(f"{ANDROID}allowBackup") == "false"
    doors = [part.tag for part in application if part.get(f"{ANDROID}exported") == "true"]
    assert doors == ["activity"]


def test_every_text_is_in_both_languages_with_the_same_arguments(tooling):
    app, _, _ = tooling
    assert app.untranslated() == []


def test_every_reason_of_the_gate_has_words_in_the_app():
    texts = (SOURCES / "res" / "values" / "strings.xml").read_text(encoding="utf-8")
    missing = [code for code in (*CODES, "between") if f'name="reason_{code}"' not in texts]
    assert missing == []


def test_the_screens_name_no_disease_to_people():
    for folder in ("values", "values-de"):
        texts = (SOURCES / "res" / folder / "strings.xml").read_text(encoding="utf-8")
        assert not re.search(r">[^<]*(cancer|krebs|melanom\b|tumou?r)[^<]*<", texts, re.IGNORECASE), folder


def test_the_pixels_of_the_decode_check_are_pillows(tooling):
    _, _, check = tooling
    jpeg = check.JPEG.read_bytes()
    assert check.pixels(jpeg) == check.PIXELS.read_bytes()
    file = open_picture(jpeg)
    assert file.facts.upright_size == (check.WIDTH, check.HEIGHT)
    full = decode(file, 1).tobytes()
    assert check.PIXELS.read_bytes().startswith(full)


def test_the_statistics_need_no_android():
    for path in (SOURCES / "kotlin" / "edgemelanoma" / "app" / "bench").glob("*.kt"):
        assert not re.search(r"^import (android|edgemelanoma\.app)", path.read_text(encoding="utf-8"), re.MULTILINE), (
            path
        )


def test_a_dex_and_an_elf_file_are_told_from_others(tooling):
    _, apk, _ = tooling
    dex = b"dex\n035\0" + bytes(0x50) + struct.pack("<I", 1234)
    assert apk.methods_of(dex) == 1234
    with pytest.raises(ValueError, match="no dex"):
        apk.methods_of(b"PK" + dex)
    with pytest.raises(ValueError, match="no little-endian ELF"):
        apk.page_of(b"MZ" + bytes(100))


def test_stored_entries_begin_at_their_multiple_whatever_stands_before_them(tooling, tmp_path):
    _, apk, _ = tooling
    for length in (0, 1, 3, 4093, 16381):
        path = tmp_path / f"{length}.zip"
        with zipfile.ZipFile(path, "w") as out:
            out.writestr("before", bytes(length))
            entry = zipfile.ZipInfo("lib/x/y.so", (1981, 1, 1, 0, 0, 0))
            entry.extra = apk._alignment(out.start_dir, entry.filename, apk.PAGE)
            out.writestr(entry, b"content")
        assert apk.entries(path)[1].begins_at % apk.PAGE == 0


def test_every_text_stands_out_from_its_ground_by_day_and_by_night():
    grounds = {
        "text": ("ground", "panel"),
        "text_quiet": ("ground", "panel"),
        "on_accent": ("accent",),
        "accent": ("panel",),
        "notice_text": ("notice_ground",),
        "low": ("panel",),
        "uncertain": ("panel",),
        "refer": ("panel",),
    }
    for folder in ("values", "values-night"):
        text = (SOURCES / "res" / folder / "colors.xml").read_text(encoding="utf-8")
        colours = dict(re.findall(r'name="(\w+)">#(\w{6})<', text))
        for name, ground in ((name, ground) for name, all_grounds in grounds.items() for ground in all_grounds):
            assert contrast(colours[name], colours[ground]) >= 4.5, (folder, name, ground)


def contrast(one, other):
    """The contrast ratio of two colours by WCAG 2.1."""

    def luminance(colour):
        shares = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
        return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)
