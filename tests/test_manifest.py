"""A manifest says exactly what its dataclasses say, contradicts neither itself nor the model, and drops no origin."""

import copy
import json
import random
from pathlib import Path

import numpy as np
import pytest

from edge_melanoma.bundle import pack_bundle, read_bundle
from edge_melanoma.bundle.archive import read_archive
from edge_melanoma.bundle.manifest import read_manifest
from edge_melanoma.bundle.origins import DataIdentity, portable, sources_of
from edge_melanoma.bundle.reading import LIMITS, MANIFEST
from edge_melanoma.errors import ArtifactError, RecipeError
from edge_melanoma.licences import Licence, allows_commercial_use, inherited

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


ODD = (None, True, -1, 0, 10**18, 10**400, 0.5, -0.0, 1e308, "", "é\u2028", "x" * 5000, [], {}, [[[]]], {"value": 1})


def leaves(value, path=()):
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list) and value:
        for place, item in enumerate(value):
            yield from leaves(item, (*path, place))
    yield path


def at(content, path):
    for key in path:
        content = content[key]
    return content


def test_whatever_stands_in_the_manifest_with_every_sum_repaired_it_opens_or_is_refused(data, tiny):
    places = [
        path for path in leaves(json.loads(read_archive(data, limits=LIMITS, name="t").entries[MANIFEST])) if path
    ]
    rng = random.Random(3)

    def spoil(content):
        *parents, last = rng.choice([path for path in places if path[0] != "content_sha256"])
        at(content, parents)[last] = copy.deepcopy(rng.choice(ODD))

    for _ in range(1500):
        changed = tiny.forged(data, spoil)
        try:
            read_bundle(changed, name="tiny")
        except ArtifactError:
            continue


@pytest.mark.parametrize(
    "text",
    [b"[" * 100_000, b'{"a":' * 5000, b"\xff\xfe", b'{"a":NaN}', b'{"a":1,"a":2}', b'{"a":"\\ud800"}', b"7", b""],
)
def test_a_manifest_that_is_no_json_of_ours_is_refused(text):
    with pytest.raises(ArtifactError):
        read_manifest(text, name="tiny")


# the manifest is read strictly

FREE = (  # objects whose keys are not ours to fix
    *(("task", "class_of"), ("data", "pictures"), ("run", "recipe"), ("run", "versions"), ("quantisation", "recipe")),
    *(("metrics",), ("gate", "asked"), ("rule", "fitted_on"), ("rule_before", "fitted_on")),
    ("capture_gate", "fitted_on"),
)


def manifest_paths():
    content = json.loads(read_archive(BUNDLE.read_bytes(), limits=LIMITS, name="t").entries[MANIFEST])
    every = [path for path in leaves(content) if path and path[0] != "content_sha256"]
    return content, [path for path in every if not any(path[: len(free)] == free and path != free for free in FREE)]


def test_every_missing_key_is_an_error_that_names_it(data, tiny):
    _, paths = manifest_paths()
    for *parents, last in paths:
        if isinstance(last, str):
            said = refused(tiny.forged(data, lambda found: at(found, parents).pop(last)))  # noqa: B023
            assert last in said or parents[0] in said, said


def test_every_unknown_key_is_an_error_that_names_it(data, tiny):
    content, paths = manifest_paths()
    for path in {(), *paths}:
        if isinstance(at(content, path), dict) and path not in FREE:
            said = refused(tiny.forged(data, lambda found: at(found, path).update(zzz=1)))  # noqa: B023
            assert "zzz" in said, said


def test_every_value_of_another_type_is_an_error(data, tiny):
    content, paths = manifest_paths()
    for path in paths:
        if path[:2] == ("gate", "rows") and path[-1] in ("asked", "found"):
            continue
        *parents, last = path
        for other in ([7.5], "zzz", 7.5):
            if type(other) is not type(at(content, path)):
                refused(tiny.forged(data, lambda found: at(found, parents).__setitem__(last, other)))  # noqa: B023


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("schema_version",), 0, "schema version 0"),
        (("task", "classes"), ["melanoma", "other"], "task"),
        (("task", "class_of"), {"MEL": 1}, "class_of"),
        (("task", "class_of"), {"MEL": 0, "NV": 1}, "differs from the labels"),
        (("rule", "classes"), ["other", "mel"], "rule"),
        (("rule_before", "task"), "mal", "rule_before"),
        (("preprocessing", "width"), 17, "preprocessing gives 1x16x17x3"),
        (("model", "output", "scale"), 0.25, "its output is"),
        (("model", "output", "zero_point"), 3, "its output is"),
        (("model", "input", "scale"), 0.5, "raw pixels"),
        (("model", "format"), "float32", "is no float32 model"),
        (("model", "format"), "int4", "int16x8"),
        (("data", "synthetic"), False, "synthetic must be true"),
        (("synthetic_banner",), None, "synthetic_banner"),
        (("licence", "data"), ["MIT"], "does not name CC0-1.0"),
        (("data", "index_sha256"), "ABC", "SHA-256"),
        (("golden", "pictures"), 5, "the manifest says 5"),
        (("run", "recipe"), {"weights": "/home/me/weights.h5"}, "path of one machine"),
        (("notice",), "Fine for everything.", "Not a medical device|not a medical device"),
        (("intended_use",), " ", "intended_use"),
        (("parts",), {}, "parts"),
    ],
)
def test_a_manifest_that_contradicts_itself_or_the_model_is_refused(data, tiny, path, value, says):
    *parents, last = path
    refused(tiny.forged(data, lambda found: at(found, parents).__setitem__(last, value)), says)


@pytest.mark.parametrize("text", ["\x1b[2J", "a\u202eb", "\r", "\ud800"])
def test_what_a_terminal_would_obey_is_refused(data, tiny, text):
    for where in ("name", "backbone"):
        try:
            said = refused(tiny.forged(data, lambda found: found["model"].update({where: text})))  # noqa: B023
        except UnicodeEncodeError:  # half a character cannot even be written
            continue
        assert said.isprintable()
    for key in ("recipe", "versions"):
        if text.isascii():
            assert refused(tiny.forged(data, lambda found: found["run"][key].update({text: 7}))).isprintable()  # noqa: B023


# what cannot be constructed


def test_a_synthetic_origin_cannot_be_dropped(tiny):
    sources = sources_of([("tiny", "synthetic", "MIT"), ("ham10000", "dermoscopic", "CC-BY-NC-4.0")])
    with pytest.raises(RecipeError, match="tiny is synthetic"):
        DataIdentity(index_sha256="0" * 64, sources=sources, pictures={"train": 2}, synthetic=False)


def test_a_non_commercial_origin_cannot_be_dropped(tiny):
    with pytest.raises(RecipeError, match=r"CC-BY-NC-4\.0 does not allow commercial use"):
        Licence(model="MIT", data=("CC-BY-NC-4.0",), weights=(), commercial=True, reasons=())
    reasons = inherited(model="MIT", data=["CC-BY-NC-4.0"]).reasons
    with pytest.raises(RecipeError, match=r"CC-BY-NC-4\.0 does not allow commercial use"):
        Licence(model="MIT", data=("CC-BY-NC-4.0",), weights=(), commercial=True, reasons=reasons)
    with pytest.raises(RecipeError, match="'weights: proprietary is unknown"):
        Licence(model="MIT", data=("MIT",), weights=("proprietary",), commercial=False, reasons=("I say so",))
    with pytest.raises(RecipeError, match="does not name"):
        tiny.manifest(licence=inherited(model="MIT", data=["MIT"]))


def test_what_a_model_inherits_is_stated_with_its_reasons():
    found = inherited(model="Apache-2.0", data=["CC-BY-NC-4.0", "CC-BY-4.0", None], weights=["MIT"])
    assert not found.commercial
    assert found.reasons == (
        "data: CC-BY-NC-4.0 does not allow commercial use",
        "data: not stated is unknown, so commercial use is not allowed",
    )
    assert inherited(model="MIT", data=["CC0-1.0 (synthetic)"]).commercial


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        *[(text, True) for text in ("CC0-1.0", "CC0-1.0 (synthetic)", "CC-BY-4.0", "CC BY 4.0", "cc-by-sa-4.0", "MIT")],
        *[(text, True) for text in ("Apache-2.0", "Apache 2.0", "BSD-3-Clause")],
        *[
            (text, False)
            for text in ("CC-BY-NC-4.0", "CC BY-NC 4.0", "CC-BY-NC-SA-3.0", "Non-Commercial", "noncommercial")
        ],
        ("research and education only", False),
        ("not stated (ISIC archive; treat as CC-BY-NC-4.0)", False),
        *[(text, None) for text in ("not stated", "GPL-3.0", "CC-BY-ND-4.0", "MIT or whatever", "my own", "")],
    ],
)
def test_licences_are_judged(licence, allowed):
    assert allows_commercial_use(licence) is allowed


def test_the_audit_asks_an_index_the_same_question():
    pl = pytest.importorskip("polars", reason="needs the data extra")
    from edge_melanoma.data.audit.table import licence_mix

    def mixed(licence):
        return len(licence_mix(pl.DataFrame({"license": [licence, "CC0-1.0"]}))) == 1

    assert all(map(mixed, ("CC-BY-NC-4.0", "cc by nc", "Non-Commercial", "research and education only")))
    assert not any(map(mixed, ("CC-BY-4.0", "MIT", "Apache-2.0", "my own")))


def test_every_source_of_pictures_has_a_licence_that_is_judged_as_it_is_meant():
    pytest.importorskip("polars", reason="needs the data extra")
    from edge_melanoma.data.sources import sources

    found = {name: allows_commercial_use(source.license) for name, source in sources().items()}
    assert {name for name, allowed in found.items() if allowed} == {"pad-ufes-20", "synth"}
    assert {name for name, allowed in found.items() if allowed is None} == {"csv", "folder"}


def test_a_value_of_a_wrong_type_is_named_when_it_is_packed(tiny, opened):
    wrong = tiny.manifest(golden=opened.manifest.golden, metrics={"float": {"roc_auc": np.float64(0.9)}})
    with pytest.raises(ArtifactError, match=r"manifest\.metrics\.float\.roc_auc: is np.float64"):
        pack_bundle(model=opened.model, manifest=wrong, golden=opened.golden)
    wrong = tiny.manifest(golden=opened.manifest.golden, metrics={"float": float("nan")})
    with pytest.raises(ArtifactError, match=r"manifest\.metrics\.float: is nan"):
        pack_bundle(model=opened.model, manifest=wrong, golden=opened.golden)


def test_paths_of_this_machine_become_names():
    recipe = {"model": {"weights": "/home/me/w.h5", "size": 96}, "also": ["C:\\models\\x.h5", "imagenet", "a/b.png"]}
    assert portable(recipe) == {"model": {"weights": "w.h5", "size": 96}, "also": ["x.h5", "imagenet", "a/b.png"]}


def test_a_newer_schema_is_called_newer_whatever_its_keys_are(data, tiny):
    def newer(found):
        found.update(schema_version=2, added_later={"a": 1})
        del found["gate"]

    refused(tiny.forged(data, newer), "has schema version 2, and this edge-melanoma reads 1; install a newer one")
