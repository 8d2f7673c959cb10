"""The emulated Raspberry Pi, as far as it needs no emulator: its files, its cache, its verdicts, its refusals."""

import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge_melanoma import machine
from edge_melanoma.benchmarks.pi import __main__ as command
from edge_melanoma.benchmarks.pi import cache, counting, needs, process, results, wheels
from edge_melanoma.benchmarks.pi.boards import BOARDS, facts, vcgencmd
from edge_melanoma.benchmarks.pi.build import Workshop, chosen
from edge_melanoma.benchmarks.pi.debian import chosen_mirror
from edge_melanoma.benchmarks.pi.device import Device, write_device
from edge_melanoma.benchmarks.pi.process import Done, run_to_end
from edge_melanoma.benchmarks.pi.run import jobs_of
from edge_melanoma.benchmarks.pi.suites import SUITES
from edge_melanoma.benchmarks.pi.tasks import TASK, judge
from edge_melanoma.errors import ArtifactError, RecipeError

ROOT = Path(__file__).parents[1]
TINY = ROOT / "tests" / "golden" / "tiny" / "tiny_bundle.tflite"
PI4 = Device(board=BOARDS["pi4"], suite=SUITES["bookworm"], folder=Path("/nowhere"), sites=())


def quiet(text):
    """The progress that no one watches."""


# boards and systems


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_every_board_is_read_as_the_raspberry_pi_that_it_is(board, monkeypatch):
    files = facts(board)
    monkeypatch.setattr(machine, "_read", lambda path: files.get(path.lstrip("/"), ""))
    found = machine.this_machine()
    assert found.board == board.model
    assert found.memory_mb == board.memory_kb // 1024
    assert ("asimddp" in found.features) == (board.core == "cortex-a76")
    assert "asimd" in found.features


def test_no_board_is_the_core_that_computes_wrongly():
    assert {board.core for board in BOARDS.values()} == {"cortex-a53", "cortex-a72", "cortex-a76"}


def test_every_core_has_the_files_that_the_engine_looks_for():
    files = facts(BOARDS["pi5"])
    assert files["proc/cpuinfo"].count("processor\t:") == 4
    for core in range(4):
        folder = f"sys/devices/system/cpu/cpu{core}"
        assert files[f"{folder}/cpufreq/cpuinfo_max_freq"] == "2400000\n"
        assert [files[f"{folder}/cache/index{index}/size"] for index in range(3)] == ["64K\n", "64K\n", "512K\n"]
        assert files[f"{folder}/topology/core_id"] == f"{core}\n"


@pytest.mark.parametrize("given", ["0x0", "0x50005"])
def test_the_firmware_says_what_it_is_told_about_throttling(given, tmp_path):
    program = tmp_path / "vcgencmd"
    program.write_text(vcgencmd(BOARDS["pi4"]))
    command_line = ["sh", str(program), "get_throttled"]
    assert subprocess.check_output(command_line, text=True, env={"PI_THROTTLED": given}) == f"throttled={given}\n"
    clock = subprocess.check_output(["sh", str(program), "measure_clock", "arm"], text=True, env={})
    assert clock == "frequency(48)=1800000000\n"


def test_wheels_for_a_system_ask_for_no_newer_c_library():
    tags = SUITES["bookworm"].platforms
    assert tags[0] == "manylinux_2_36_aarch64"
    assert {"manylinux_2_17_aarch64", "manylinux2014_aarch64", "manylinux_2_28_aarch64"} < set(tags)
    assert "manylinux_2_37_aarch64" not in tags
    assert all(tag.endswith("_aarch64") for tag in tags)


def test_an_unknown_board_is_refused_with_those_that_are_known():
    with pytest.raises(RecipeError, match=r"board 'pi6' is unknown; known: pi3, pizero2, pi4, pi5"):
        chosen(BOARDS, ["pi4", "pi6"], "board")


# the device's folder


def lay_out(tmp_path, *, emulator=("/emulator/qemu",)):
    userland, draft = tmp_path / "userland", tmp_path / "draft"
    (userland / "usr" / "bin").mkdir(parents=True)
    (userland / "bin").symlink_to("usr/bin")
    (userland / "edge-melanoma.json").write_text("{}")
    draft.mkdir()
    write_device(
        draft,
        folder=tmp_path / "draft",
        board=BOARDS["pi5"],
        suite=SUITES["trixie"],
        emulator=emulator,
        userland=userland,
        sites=(tmp_path / "own", tmp_path / "base"),
    )
    return draft


def test_a_device_is_a_virtual_environment_over_the_system_of_its_suite(tmp_path):
    device = lay_out(tmp_path)
    assert f"home = {tmp_path}/userland/usr/bin" in (device / "pyvenv.cfg").read_text()
    (paths,) = (device / "lib" / "python3.13" / "site-packages").glob("*.pth")
    assert paths.read_text().split() == [f"{tmp_path}/own", f"{tmp_path}/base"]
    assert (device / "root" / "usr" / "bin").is_dir()
    assert (device / "root" / "bin").resolve() == tmp_path / "userland" / "usr" / "bin"
    assert not (device / "root" / "edge-melanoma.json").exists()
    assert "Raspberry Pi 5" in (device / "root" / "proc" / "cpuinfo").read_text()


def test_its_python_starts_the_emulator_as_itself_so_that_children_do_too(tmp_path):
    """An emulator that only prints how it was started stands in: what reaches it is what counts."""
    shows = tmp_path / "shows"
    shows.write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n')
    shows.chmod(0o755)
    python = lay_out(tmp_path, emulator=(str(shows),)) / "bin" / "python"
    words = subprocess.check_output([python, "-c", "print(1) # two words"], text=True).splitlines()
    assert words[words.index("-cpu") + 1] == "cortex-a76"
    assert words[words.index("-0") + 1] == str(python)
    assert words[words.index("-L") + 1] == str(tmp_path / "draft" / "root")
    assert words[-3:] == [f"{tmp_path}/userland/usr/bin/python3.13", "-c", "print(1) # two words"]


# the cache


def test_a_part_is_made_once(tmp_path):
    made = []

    def make(draft):
        (draft / "file").write_text("content")
        made.append(draft)
        return {"packages": {"one": "1.0"}}

    first = cache.part(tmp_path, "part", "key1", make, say=quiet)
    assert cache.part(tmp_path, "part", "key1", make, say=quiet) == first
    assert len(made) == 1
    assert (first / "file").read_text() == "content"
    assert cache.note_of(first)["packages"] == {"one": "1.0"}
    assert cache.part(tmp_path, "part", "key2", make, say=quiet) != first


def test_another_wish_is_another_key():
    assert cache.key_of(1, ["a", "b"]) == cache.key_of(1, ["a", "b"])
    assert len({cache.key_of(1, ["a"]), cache.key_of(2, ["a"]), cache.key_of(1, ["b"]), cache.key_of([1, "a"])}) == 4


def test_a_part_that_was_killed_half_way_is_made_anew_and_its_remains_removed(tmp_path):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom edge_melanoma.benchmarks.pi.cache import part\n"
        "def make(draft):\n"
        "    (draft / 'half').touch(); print('half', flush=True); time.sleep(60)\n"
        "part(Path(sys.argv[1]), 'part', 'key', make, say=print)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"half\n"
    child.kill()
    child.communicate()
    assert [path for path in tmp_path.iterdir() if path.name.endswith(".part")], "the test killed it too late"
    folder = cache.part(tmp_path, "part", "key", lambda draft: (draft / "whole").touch() or {}, say=quiet)
    assert (folder / "whole").exists()
    assert not (folder / "half").exists()
    assert not list(tmp_path.glob(".*.part"))


def test_a_part_that_failed_is_not_taken_for_whole(tmp_path):
    def fails(draft):
        (draft / "half").touch()
        raise needs.NeedsError("no network")

    with pytest.raises(needs.NeedsError, match="no network"):
        cache.part(tmp_path, "part", "key", fails, say=quiet)
    assert not cache.is_whole(tmp_path / "part-key")
    assert cache.part(tmp_path, "part", "key", lambda draft: {}, say=quiet).is_dir()


def test_only_the_newest_parts_of_a_name_are_kept(tmp_path):
    for number in range(6):
        cache.part(tmp_path, "own", f"key{number}", lambda draft: {}, say=quiet)
        os.utime(tmp_path / f"own-key{number}", (number, number))
    cache.part(tmp_path, "own-other", "key", lambda draft: {}, say=quiet)
    assert sorted(path.name for path in tmp_path.glob("own*")) == ["own-key3", "own-key4", "own-key5", "own-other-key"]


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("EDGE_MELANOMA_CACHE", str(tmp_path))
    assert cache.default_cache() == tmp_path / "pi"
    monkeypatch.delenv("EDGE_MELANOMA_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/some/cache")
    assert cache.default_cache() == Path("/some/cache/edge-melanoma/pi")


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match="EDGE_MELANOMA_CACHE"):
        cache.part(tmp_path / "file" / "pi", "part", "key", lambda draft: {}, say=quiet)


# what is fetched


def test_the_mirror_is_that_of_debian_itself():
    listed = ("http://a/tools/ Tools", "http://b/debian/ Debian", "http://c/debian-security/ Debian-Security")
    assert chosen_mirror("\n".join(listed)) == "http://b/debian/"
    nothing_fetched_yet = "http://a.example/tools \nhttp://b.example/debian \nhttp://c.example/debian-security "
    assert chosen_mirror(nothing_fetched_yet) == "http://b.example/debian"
    assert chosen_mirror("http://a.example/ubuntu Ubuntu") is None


def test_what_is_fetched_is_the_base_install_at_the_tested_versions():
    wanted = wheels.base_requirements(ROOT)
    assert sorted(requirement.split(">")[0] for requirement in wanted) == [
        *("ai-edge-litert", "numpy", "pillow", "rich", "typer")
    ]
    pinned = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(any(line.startswith(f"{requirement.split('>')[0]}==") for line in pinned) for requirement in wanted)


def test_a_wheel_is_unpacked_as_pip_lays_it_out_and_its_size_is_its_files(tmp_path):
    file = tmp_path / "made-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as wheel:
        wheel.writestr("made/__init__.py", "x = 1\n")
        wheel.writestr("made-1.0.data/platlib/made/native.so", "0123456789")
        wheel.writestr("made-1.0.data/scripts/made", "#!python")
        wheel.writestr("made-1.0.dist-info/RECORD", "made/__init__.py,,6\nmade/native.so,,10\n../../bin/made,,8\n")
    wheels.unpack_wheel(file, tmp_path / "site")
    assert (tmp_path / "site" / "made" / "native.so").read_text() == "0123456789"
    assert not list((tmp_path / "site").glob("*.data"))
    assert wheels.installed_bytes([tmp_path / "site"]) == {"made": 16}


def test_our_wheel_is_built_anew_when_the_source_changes_and_only_then(tmp_path):
    for name in ("edge_melanoma", "benchmarks/results", "tests"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("pyproject.toml", "constraints.txt", "edge_melanoma/a.py", "benchmarks/results/a.md", "tests/t.py"):
        (tmp_path / name).write_text("1")
    before = wheels.source_key(tmp_path)
    (tmp_path / "benchmarks" / "results" / "a.md").write_text("2")
    (tmp_path / "tests" / "t.py").write_text("2")
    assert wheels.source_key(tmp_path) == before
    (tmp_path / "edge_melanoma" / "a.py").write_text("2")
    assert wheels.source_key(tmp_path) != before


def test_a_file_that_is_no_wheel_of_ours_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="make wheel"):
        Workshop(cache=tmp_path, say=quiet, wheel=tmp_path / "other-1.0-py3-none-any.whl").own  # noqa: B018


# what is missing


def test_a_missing_program_is_one_sentence_with_its_package_and_code_5():
    with pytest.raises(
        needs.NeedsError, match="needs no-such-program, which is not installed: apt-get install some"
    ) as e:
        needs.need_program("no-such-program", "some")
    assert e.value.exit_code == 5


def test_another_kind_of_machine_is_refused(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    with pytest.raises(needs.NeedsError, match="needs Linux on x86_64, and this is Darwin on arm64"):
        needs.need_linux_on_x86()


def test_the_command_says_it_in_one_line_and_ends_with_the_code(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert command.main(["build", "--cache", str(tmp_path)]) == 5
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("error: the emulated Raspberry Pi needs Linux on x86_64")
    assert printed.out == ""


def test_a_tool_that_fails_is_quoted_with_its_complaint():
    program = "import sys; print('W: never mind\\nE: Temporary failure resolving\\n', file=sys.stderr); sys.exit(100)"
    with pytest.raises(needs.NeedsError, match=r"^fetching: python\S* failed: E: Temporary failure resolving$"):
        needs.run_tool([sys.executable, "-c", program], what="fetching", timeout_s=60)


def test_a_tool_that_hangs_is_stopped():
    with pytest.raises(needs.NeedsError, match="not done after 1 s"):
        needs.run_tool([sys.executable, "-c", "import time; time.sleep(60)"], what="fetching", timeout_s=1)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("ERROR: No matching distribution found for numpy==9", ArtifactError),
        ("ERROR: ResolutionImpossible: for help visit …", ArtifactError),
        ("WARNING: Retrying (Retry(total=0)\nERROR: No matching distribution found for numpy==2.4.6", needs.NeedsError),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left", needs.NeedsError),
    ],
)
def test_a_version_that_has_no_wheel_is_our_fault_and_a_missing_network_is_not(said, kind):
    assert type(wheels.told_apart(needs.NeedsError("fetching: failed", output=said))) is kind


def test_an_index_that_cannot_be_reached_is_a_need(monkeypatch, tmp_path):
    """Nothing listens on port 9 of this machine."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    (tmp_path / "site").mkdir()
    with pytest.raises(needs.NeedsError, match=r"^fetching the base install for bookworm on arm64: .+ failed: ERROR: "):
        wheels.download_base(ROOT, SUITES["bookworm"], tmp_path / "site")


def test_what_is_no_bundle_is_refused_before_anything_is_built(tmp_path, capsys):
    (tmp_path / "model.tflite").write_bytes(b"no bundle")
    assert command.main(["run", str(tmp_path / "model.tflite"), "--cache", str(tmp_path / "cache")]) == 4
    assert "model.tflite" in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()


def test_counts_are_compared_with_counts_only(tmp_path, capsys):
    (tmp_path / "other.json").write_text("[]")
    model = ROOT / "tests" / "golden" / "tiny" / "tiny_int8.tflite"
    assert command.main(["count", str(model), "--against", str(tmp_path / "other.json")]) == 2
    assert "is no result of `count --out`" in capsys.readouterr().err


def test_the_picture_that_is_timed_is_a_small_one_that_is_taken():
    (job,) = jobs_of([TINY], golden=ROOT / "tests" / "golden" / "golden.json")
    assert not job.picture.name.startswith("refused")
    assert job.picture.stat().st_size < 1000


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="is no folder with pictures"):
        jobs_of([], golden=ROOT / "golden.json", pictures=tmp_path)


def test_bundles_of_one_name_are_refused(tmp_path):
    twin = tmp_path / TINY.name
    twin.write_bytes(TINY.read_bytes())
    with pytest.raises(RecipeError, match="two of the bundles are called tiny_bundle"):
        jobs_of([TINY, twin], golden=ROOT / "tests" / "golden" / "golden.json")


@pytest.mark.parametrize(("given", "name"), [((), "pi"), (("--name", "pi-tiny"), "pi-tiny")])
def test_a_run_says_what_it_was_of_and_how_it_is_called(tmp_path, monkeypatch, given, name):
    monkeypatch.setattr(command, "build", lambda *workshop, **of: [])
    monkeypatch.setattr(results, "made_of", lambda *made: {"emulator": "qemu 0", "installed": {}})
    assert command.main(["run", str(TINY), *given, "--out", str(tmp_path)]) == 6, "no device, so nothing passed"
    written = json.loads((tmp_path / f"{name}.json").read_text())
    assert written["bundles"] == {TINY.name: hashlib.sha256(TINY.read_bytes()).hexdigest()}
    assert written["command"] == " ".join(["python -m edge_melanoma.benchmarks.pi run BUNDLE...", *given])
    assert f"`{written['command']}`" in (tmp_path / f"{name}.md").read_text()


# processes


def run_python(code, **options):
    return run_to_end([sys.executable, "-c", code], timeout_s=60, env=dict(os.environ), **options)


def test_a_process_is_told_with_its_code_its_words_and_its_own_memory():
    ballast = b"1" * (200 << 20)  # of ours: it must not count for the child
    done = run_python("import sys; x = b'1' * (60 << 20); print('out'); print('bad │', file=sys.stderr); sys.exit(3)")
    assert len(ballast) == 200 << 20
    assert (done.code, done.stdout) == (3, "out\n")
    assert done.complaint == "exit code 3: bad"
    assert 60 < done.peak_mb < 150


def test_a_process_that_crashes_is_told_by_its_signal():
    assert run_python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)").code == -signal.SIGSEGV


def with_a_child(note):
    """A program that starts a child, notes its number, and hangs as the child does."""
    return (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(note)!r} + '.part', 'w').write(str(child.pid)); os.rename({str(note)!r} + '.part', {str(note)!r})\n"
        "time.sleep(60)\n"
    )


def assert_gone(pid):
    status = Path("/proc") / pid / "stat"
    for _ in range(200):
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.05)
    else:
        pytest.fail("the child of the child lives on")


def test_a_process_that_hangs_is_killed_with_its_children(tmp_path):
    with pytest.raises(ArtifactError, match="did not come to an end in 2 s"):
        run_to_end([sys.executable, "-c", with_a_child(tmp_path / "pid")], timeout_s=2, env=dict(os.environ))
    assert_gone((tmp_path / "pid").read_text())


def test_what_was_started_does_not_outlive_whoever_started_it(tmp_path):
    code = (
        "import os, sys\nfrom edge_melanoma.benchmarks.pi.process import run_to_end\n"
        "run_to_end([sys.executable, '-c', sys.argv[1]], timeout_s=60, env=dict(os.environ))\n"
    )
    starter = subprocess.Popen([sys.executable, "-c", code, with_a_child(tmp_path / "pid")])
    for _ in range(400):
        if (tmp_path / "pid").exists():
            break
        time.sleep(0.05)
    starter.kill()
    starter.wait()
    assert_gone((tmp_path / "pid").read_text())


def test_what_other_threads_wait_for_can_be_stopped():
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(run_python, "import time; time.sleep(60)")
        while not process._running:
            time.sleep(0.05)
        process.kill_all()
        with pytest.raises(ArtifactError, match="was killed from outside"):
            waiting.result()


# verdicts


def done(value, code=0):
    lines = value if isinstance(value, list) else [value]
    text = "\n".join(json.dumps(line) for line in lines)
    return Done(code=code, stdout=text, stderr="error: it broke", seconds=1.0, peak_mb=1.0)


def answers(*rows, dtype="int8", decision="low"):
    pictures = {
        f"{number}.png": {"raw": list(row), "logits": [value / 8 for value in row], "decision": decision}
        for number, row in enumerate(rows)
    }
    return {"format": "int8" if dtype == "int8" else "float32", "dtype": dtype, "pictures": pictures}


@pytest.mark.parametrize(
    ("there", "here", "passes"),
    [
        (answers((1, 2), (3, 4)), answers((1, 2), (3, 4)), True),
        (answers((1, 2), (3, 5)), answers((1, 2), (3, 4)), True),
        (answers((1, 2), (3, 6)), answers((1, 2), (3, 4)), False),
        (answers((1, 2), decision="refer"), answers((1, 2)), False),
        (answers((1, 2)), answers((1, 2), (3, 4)), False),
        (answers((8, 16 + 1e-4), dtype="float32"), answers((8, 16), dtype="float32"), True),
        (answers((8, 16 + 1e-2), dtype="float32"), answers((8, 16), dtype="float32"), False),
        (answers((8, float("nan")), dtype="float32"), answers((8, 16), dtype="float32"), False),
    ],
)
def test_outputs_may_differ_by_a_level_and_decisions_not_at_all(there, here, passes):
    assert judge(TASK["outputs"], PI4, done(there), done(here)).passed is passes


def line(**changes):
    found = {"picture": "/a/b.jpg", "melanoma_probability": 0.25, "decision": "low", "reason_codes": [], "error": None}
    return found | changes


@pytest.mark.parametrize(
    ("there", "passes"),
    [
        ([line()], True),
        ([line(melanoma_probability=0.2500001)], True),
        ([line(decision="refer")], False),
        ([line(reason_codes=["blurred"])], False),
        ([line(error="is damaged", decision=None)], False),
        ([], False),
    ],
)
def test_predictions_must_be_those_of_here(there, passes):
    assert judge(TASK["predict"], PI4, done(there), done([line()])).passed is passes


def test_the_same_refusals_are_agreement_but_no_picture_judged_is_none():
    refused = line(error="is damaged", decision=None, melanoma_probability=None)
    assert judge(TASK["predict"], PI4, done([line(), refused], 3), done([line(), refused], 3)).passed
    assert not judge(TASK["predict"], PI4, done([refused], 3), done([refused], 3)).passed


def test_a_tensor_of_another_hash_is_counted():
    here, there = {"tensors": ["a", "b"], "refusals": ["cmyk"]}, {"tensors": ["a", "c"], "refusals": ["cmyk"]}
    assert judge(TASK["tensors"], PI4, done(here), done(here)).passed
    verdict = judge(TASK["tensors"], PI4, done(there), done(here))
    assert (verdict.passed, verdict.detail) == (False, "1 of 2 tensors to the byte, 1 refusals differ")


@pytest.mark.parametrize("name", list(TASK))
def test_a_program_that_fails_or_prints_nonsense_is_no_agreement(name):
    task = TASK[name]
    here = done({}) if task.here_too else None
    verdict = judge(task, PI4, done({}, 139), here)
    assert not verdict.passed
    assert verdict.detail.startswith("exit code 139: error: it broke")
    assert not judge(task, PI4, done({"nonsense": 1}), here).passed
    assert not judge(task, PI4, Done(code=0, stdout="", stderr="", seconds=0, peak_mb=0), here).passed


# counts


def test_the_counts_of_a_process_and_its_children_add_up():
    assert counting.read_counts(["100 20 3", "10 2 0"]) == counting.Count(all=110, vector=22, dot=3)


def test_start_and_loading_fall_out_of_a_difference():
    few, many = (counting.Count(all=1_000_000 + n * 700, vector=5_000 + n * 70, dot=n * 7) for n in (20, 40))
    assert (many - few) / 20 == counting.Count(all=700, vector=70, dot=7)


@pytest.mark.parametrize(("counted", "passes"), [(100, True), (102, True), (98, True), (103, False), (97, False)])
def test_a_count_may_be_two_percent_off_in_either_direction(counted, passes):
    def about(count):
        return {"tiny": {"instructions": {"cortex-a72": {"all": count}}}}

    (change,) = counting.changes(about(counted), about(100))
    assert change.passed is passes
    assert "cortex-a72" in str(change)
    assert counting.changes(about(100), {}) == []
