"""A bundle opens only if every byte is what was written, and only as what it is: no origin is lost on the way."""

import json
import os
import random
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from edge_melanoma.bundle import Golden, check_vacant, open_bundle, pack_bundle, read_bundle, write_bundle
from edge_melanoma.bundle.archive import append_archive, read_archive
from edge_melanoma.bundle.reading import LIMITS, MANIFEST, MAX_BUNDLE_BYTES
from edge_melanoma.bundle.strict import canonical
from edge_melanoma.errors import ArtifactError
from edge_melanoma.notice import SYNTHETIC_BANNER

TINY = Path(__file__).parent / "golden" / "tiny"
BUNDLE = TINY / "tiny_bundle.tflite"


@pytest.fixture(scope="module")
def data():
    return BUNDLE.read_bytes()


@pytest.fixture(scope="module")
def opened(data):
    return read_bundle(data, name="tiny")


def refused(data, says=None):
    with pytest.raises(ArtifactError, match=says) as caught:
        read_bundle(bytes(data), name="tiny")
    return str(caught.value)


# what a bundle is


def test_it_opens_with_everything_in_it(opened):
    assert opened.labels == opened.task.classes == opened.rule.classes == ("other", "melanoma")
    assert (opened.contract.width, opened.contract.height) == (16, 16)
    assert opened.golden.inputs.shape == (6, 16, 16, 3)
    assert opened.model[4:8] == b"TFL3"
    assert opened.manifest.synthetic_banner == SYNTHETIC_BANNER
    assert set(opened.rule.decisions(opened.golden.probability)) == {"low", "uncertain", "refer"}


def test_packing_its_parts_again_gives_the_same_bytes(opened, data):
    assert pack_bundle(model=opened.model, manifest=opened.manifest, golden=opened.golden) == data


def test_numpy_reads_the_golden_vectors(data, opened, tmp_path):
    archive = read_archive(data, limits=LIMITS, name="tiny")
    (tmp_path / "golden.npz").write_bytes(archive.entries["golden.npz"])
    with np.load(tmp_path / "golden.npz", allow_pickle=False) as arrays:
        for name in ("inputs", "outputs", "logits", "probability"):
            assert np.array_equal(arrays[name], getattr(opened.golden, name))


def test_the_manifest_holds_no_time_and_no_path_of_this_machine(data):
    text = read_archive(data, limits=LIMITS, name="tiny").entries[MANIFEST].decode()
    for word in (str(TINY), str(Path.home()) + "/", "created", "host"):
        assert word not in text


# changed bytes


def test_every_flipped_byte_is_refused(data):
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        refused(flipped)


def test_every_flipped_byte_of_an_entry_is_refused_with_its_checksum_repaired(data):
    archive = read_archive(data, limits=LIMITS, name="tiny")
    model = data[: archive.start]
    for name, content in archive.entries.items():
        for place in range(0, len(content), 1 if name == MANIFEST else 37):
            flipped = bytearray(content)
            flipped[place] ^= 1 << place % 8
            refused(append_archive(model, {**archive.entries, name: bytes(flipped)}))


def test_a_threshold_edited_by_hand_is_noticed(data):
    archive = read_archive(data, limits=LIMITS, name="tiny")
    content = json.loads(archive.entries[MANIFEST])
    content["rule"]["threshold_refer"]["value"] = 0.61
    edited = append_archive(data[: archive.start], {**archive.entries, MANIFEST: canonical(content)})
    refused(edited, "was edited: content_sha256")


def test_a_manifest_in_another_form_is_refused(data):
    archive = read_archive(data, limits=LIMITS, name="tiny")
    content = json.loads(archive.entries[MANIFEST])
    for text in (json.dumps(content), json.dumps(content, indent=2), json.dumps(content, ensure_ascii=True) + "\n"):
        other = append_archive(data[: archive.start], {**archive.entries, MANIFEST: text.encode()})
        refused(other, "edited")


def test_the_model_part_of_another_bundle_is_refused(data, tiny):
    archive = read_archive(data, limits=LIMITS, name="tiny")
    refused(append_archive(tiny.model_bytes("float32"), archive.entries), "model part is not what the manifest names")


def test_every_cut_and_every_appendix_is_refused(data):
    for length in [*range(0, len(data), 97), len(data) - 1]:
        refused(data[:length])
    for more in (b"\0", b"PK\x05\x06" + bytes(18), data):
        refused(data + more)


def test_whatever_is_done_to_the_bytes_it_opens_or_is_refused(data):
    rng = random.Random(1)
    for _ in range(1500):
        changed = bytearray(data)
        for _ in range(rng.choice((1, 3, 20))):
            place = rng.randrange(len(changed))
            if rng.random() < 0.3:
                del changed[place : place + rng.randrange(1, 300)]
            else:
                changed[place] = rng.randrange(256)
        if bytes(changed) != data:
            refused(changed)


def test_whatever_is_done_to_the_model_with_every_sum_repaired_it_opens_or_is_refused(data, opened, tiny):
    rng, said = random.Random(2), []
    for _ in range(400):
        model = bytearray(opened.model)
        for _ in range(rng.choice((1, 2, 8))):
            model[rng.randrange(len(model))] = rng.randrange(256)
        try:
            read_bundle(tiny.forged(data, model=bytes(model)), name="tiny")
        except ArtifactError as error:
            said.append(str(error))
    assert len(said) > 200
    assert all(message.isprintable() for message in said), "a terminal obeys what is not"


def test_a_name_in_the_metadata_reaches_no_terminal_as_it_is(data, opened, tiny):
    model = opened.model.replace(b"labels.txt", b"l\x1b[31m.txt")
    assert model != opened.model
    refused(tiny.forged(data, model=model), r"labels in 'l.x1b\[31m.txt'; 'labels.txt' is right")


def test_labels_other_than_the_classes_are_refused(data, tiny):
    for labels in (b"melanoma\nother\n", b"other\nmelanoma", b"other\r\nmelanoma\r\n", b"other\nmelanoma\n\n"):
        refused(tiny.forged(data, labels=labels), "labels.txt")


def test_golden_vectors_that_do_not_fit_are_refused(data, opened, tiny):
    golden = opened.golden
    one_off = golden.outputs.copy()
    one_off[0, 0] += 1

    def spoiled(**changed):
        arrays = {name: getattr(golden, name) for name in ("inputs", "outputs", "logits", "probability")}
        return tiny.forged(data, golden=Golden(**{**arrays, **changed}).to_bytes())

    refused(spoiled(outputs=one_off), "logits are not those of its outputs")
    refused(spoiled(probability=golden.probability + 1e-6), "probabilities are not those")
    refused(spoiled(logits=golden.logits * np.float32("nan")), "not finite")
    refused(spoiled(outputs=golden.outputs.astype(np.int16)), "uint8 .* fits")
    refused(spoiled(inputs=golden.inputs[:, :8]), "uint8 .* fits")
    refused(spoiled(inputs=golden.inputs[:0]), "0 golden pictures")


def test_a_model_without_metadata_is_refused(data, opened, tiny):
    nameless = opened.model.replace(b"TFLITE_METADATA", b"TFLITE_METADATB")
    refused(tiny.forged(data, model=nameless), "no TFLite metadata")


def test_a_model_with_an_archive_behind_it_is_not_packed(opened, data):
    with pytest.raises(ArtifactError, match="has an archive already"):
        pack_bundle(model=data, manifest=opened.manifest, golden=opened.golden)


# files


def write(path, opened, **options):
    return write_bundle(path, model=opened.model, manifest=opened.manifest, golden=opened.golden, **options)


def test_it_is_written_and_read_from_disk(tmp_path, opened, data):
    written = write(tmp_path / "new" / "model.tflite", opened)
    assert (tmp_path / "new" / "model.tflite").read_bytes() == data
    assert written.sha256 == opened.sha256
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "model.tflite"]


def test_force_replaces_a_bundle_and_nothing_else(tmp_path, opened, data, tiny):
    path = tmp_path / "model.tflite"
    write(path, opened)
    with pytest.raises(ArtifactError, match="--force"):
        write(path, opened)
    write(path, opened, force=True)
    for other in (b"my thesis", tiny.model_bytes("int8")):
        path.write_bytes(other)
        with pytest.raises(ArtifactError, match="does not replace it"):
            write(path, opened, force=True)
        assert path.read_bytes() == other
    with pytest.raises(ArtifactError, match="is no file"):
        write(tmp_path, opened, force=True)


def test_a_full_disk_leaves_the_old_bundle_and_says_so_in_one_line(tmp_path, data):
    path = tmp_path / "model.tflite"
    path.write_bytes(data)
    code = (
        "import resource, sys; from pathlib import Path; from edge_melanoma.bundle import open_bundle, write_bundle\n"
        "from edge_melanoma.errors import ArtifactError\n"
        "path = Path(sys.argv[1]); b = open_bundle(path)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try: write_bundle(path, model=b.model, manifest=b.manifest, golden=b.golden, force=True)\n"
        "except ArtifactError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert "cannot be written" in done.stdout or "disk is full" in done.stdout
    assert done.stdout.count("\n") == 1
    assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]


def test_a_bundle_and_what_belongs_to_it_are_both_written_or_neither(tmp_path, opened, data):
    path, seen = tmp_path / "model.tflite", []

    def failing():
        seen.append(path.exists())
        raise ArtifactError("no room for the report")

    parts = {"model": opened.model, "manifest": opened.manifest, "golden": opened.golden}
    with pytest.raises(ArtifactError, match="no room for the report"):
        write_bundle(path, **parts, together_with=failing)
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(data)
    before = path.stat().st_mtime_ns
    with pytest.raises(ArtifactError, match="no room for the report"):
        write_bundle(path, **parts, force=True, together_with=failing)
    assert (list(tmp_path.iterdir()), path.stat().st_mtime_ns) == ([path], before)
    assert seen == [False, True]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a place that takes no file")
def test_a_place_that_takes_no_file_is_told_before_the_work():
    for path in (Path("/proc/model.tflite"), Path("/proc/nowhere/deep/model.tflite")):
        with pytest.raises(ArtifactError, match=r"model.tflite: cannot be written .*; name a place you may write to"):
            check_vacant(path, force=False)


def test_what_is_no_bundle_is_refused_with_what_it_is(tmp_path, tiny, data):
    files = {
        "empty": (b"", "is empty"),
        "plain": (tiny.model_bytes("int8"), "is a plain .tflite; a bundle is what `edge-melanoma convert` writes"),
        "cut model": (tiny.model_bytes("int8")[:3000], "3,000"),
        "cut": (data[:-30], "is cut off, or has bytes behind its archive"),
        "appended": (data + b"\n", "is cut off, or has bytes behind its archive"),
        "text": (b"hello, I am no model at all", "neither a bundle nor a .tflite"),
        "labels only": (append_archive(tiny.model_bytes("int8"), {"labels.txt": b"a\nb\n"}), "1 entries"),
    }
    for name, (content, says) in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ArtifactError, match=says) as caught:
            open_bundle(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
    for path, says in (
        (tmp_path, "is a folder"),
        (tmp_path / "none", "No such file"),
        (Path("/dev/zero"), "is no file"),
    ):
        with pytest.raises(ArtifactError, match=says):
            open_bundle(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArtifactError, match="is no file"):
        open_bundle(tmp_path / "pipe")


def test_a_huge_sparse_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "huge.tflite"
    with path.open("wb") as stream:
        stream.truncate(MAX_BUNDLE_BYTES * 1000)
    tracemalloc.start()
    with pytest.raises(ArtifactError, match="at most"):
        open_bundle(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_opening_imports_nothing_heavy_and_no_engine():
    code = (
        "import sys; from pathlib import Path; from edge_melanoma.bundle import open_bundle\n"
        "open_bundle(Path(sys.argv[1]))\n"
        "heavy = ('tensorflow', 'tf_keras', 'polars', 'matplotlib', 'sklearn', 'flatbuffers', 'ai_edge_litert')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, BUNDLE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
