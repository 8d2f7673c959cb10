"""The preprocessing contract: golden vectors, and an independent judge for every step."""

import io
import json
import math
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_melanoma.errors import ArtifactError, DataError, RecipeError
from edge_melanoma.picture import decode, open_picture, picture_facts, read_picture
from edge_melanoma.preprocess import PreprocessContract

GOLDEN = Path(__file__).parent / "golden"
PICTURES = GOLDEN / "pictures"
EXPECTED = json.loads((GOLDEN / "golden.json").read_text(encoding="utf-8"))
VECTORS = EXPECTED["vectors"]


def vector_id(vector):
    contract = vector["contract"]
    return f"{vector['picture']}-{contract['width']}x{contract['height']}-{contract['geometry']}"


def digest(array):
    return sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def crop(width, height):
    return PreprocessContract(width=width, height=height)


def random_image(width, height, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


# --- golden vectors ---------------------------------------------------------------------------------------------------


def test_the_golden_pictures_are_the_committed_bytes():
    found = {path.name: sha256(path.read_bytes()).hexdigest() for path in PICTURES.iterdir()}
    assert found == EXPECTED["pictures"]


def test_the_generator_reproduces_the_committed_expectations():
    command = [sys.executable, GOLDEN / "make_golden.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.parametrize("vector", VECTORS, ids=vector_id)
def test_a_golden_picture_gives_its_golden_tensor(vector):
    contract = PreprocessContract.from_json(vector["contract"])
    file = open_picture(PICTURES / vector["picture"])
    assert contract.reduction(file.facts) == vector["reduction"]
    decoded = decode(file, vector["reduction"])
    expected = vector["decoded"]
    assert (decoded.size, digest(decoded)) == ((expected["width"], expected["height"]), expected["sha256"])
    tensor = contract.to_tensor(PICTURES / vector["picture"])
    assert (list(tensor.shape), tensor.dtype, digest(tensor)) == (vector["shape"], np.uint8, vector["sha256"])
    if vector["tensor"]:
        assert (GOLDEN / vector["tensor"]).read_bytes() == tensor.tobytes()


@pytest.mark.parametrize("refusal", EXPECTED["refusals"], ids=lambda refusal: refusal["picture"])
def test_a_refused_picture_is_refused_by_name_and_reason(refusal):
    path = PICTURES / refusal["picture"]
    for read in (read_picture, crop(8, 8).to_tensor):
        with pytest.raises(DataError) as caught:
            read(path)
        assert caught.value.reason == refusal["refused"]
        assert str(caught.value) == f"{path}: {refusal['note']}"


# --- independent judges -----------------------------------------------------------------------------------------------


def slow_pass(samples, m):
    """One pass of the resize over the first axis, from the text in golden/README.md, section 7."""
    n = len(samples)
    scale = n / m
    filter_ = max(scale, 1.0)
    out = np.empty((m, *samples.shape[1:]), np.uint8)
    for i in range(m):
        center = (i + 0.5) * scale
        first = max(0, math.trunc(center - filter_ + 0.5))
        end = min(n, math.trunc(center + filter_ + 0.5))
        weights = [max(0.0, 1.0 - abs((j - center + 0.5) * (1.0 / filter_))) for j in range(first, end)]
        total = 0.0
        for weight in weights:
            total += weight
        k = np.array([math.trunc(0.5 + weight / total * 4194304) for weight in weights], dtype=np.int32)
        summed = np.tensordot(k, samples[first:end].astype(np.int32), axes=1)
        assert summed.dtype == np.int32
        out[i] = np.clip((summed + 2097152) >> 22, 0, 255)
    return out


def slow_resize(pixels, width, height):
    horizontal = slow_pass(pixels.swapaxes(0, 1), width).swapaxes(0, 1)
    return slow_pass(horizontal, height)


def slow_tensor(pixels, contract):
    """Geometry and resize as golden/README.md has them, in another order of code."""
    h, w, _ = pixels.shape
    width, height = contract.width, contract.height
    wider = w * height > h * width
    if contract.geometry == "squash":
        return slow_resize(pixels, width, height)
    if contract.geometry == "crop":
        cw, ch = (max(1, h * width // height), h) if wider else (w, max(1, w * height // width))
        x, y = (w - cw) // 2, (h - ch) // 2
        return slow_resize(pixels[y : y + ch, x : x + cw], width, height)
    if wider:
        fw, fh = width, max(1, (2 * h * width + w) // (2 * w))
    else:
        fw, fh = max(1, (2 * w * height + h) // (2 * h)), height
    tensor = np.full((height, width, 3), contract.pad_rgb, np.uint8)
    x, y = (width - fw) // 2, (height - fh) // 2
    tensor[y : y + fh, x : x + fw] = slow_resize(pixels, fw, fh)
    return tensor


SIZES = [
    ((1, 1), (1, 1)), ((1, 1), (5, 4)), ((2, 3), (7, 8)), ((5, 3), (32, 32)), ((37, 23), (37, 23)),
    ((37, 23), (37, 22)), ((26, 78), (2, 7)),
    ((37, 23), (36, 23)), ((100, 80), (99, 81)), ((3, 500), (17, 2)), ((640, 480), (32, 24)), ((1999, 13), (1, 1)),
    ((450, 600), (224, 224)), ((1000, 750), (96, 96)),
]  # fmt: skip


@pytest.mark.parametrize(("source", "target"), SIZES)
def test_the_resize_is_the_documented_integer_arithmetic(source, target):
    image = random_image(*source)
    squash = PreprocessContract(width=target[0], height=target[1], geometry="squash")
    assert np.array_equal(squash.image_to_tensor(image), slow_resize(np.asarray(image), *target))


def test_the_resize_is_exact_where_rounding_is_hardest():
    """Only 0 and 255, so that sums lie on halves, and flat pictures, which must stay flat."""
    checks = np.indices((61, 47)).sum(axis=0) % 2 * np.uint8(255)
    image = Image.fromarray(np.repeat(checks[..., None], 3, axis=2).astype(np.uint8))
    for width, height in ((23, 30), (24, 31), (94, 122), (2, 2)):
        squash = PreprocessContract(width=width, height=height, geometry="squash")
        assert np.array_equal(squash.image_to_tensor(image), slow_resize(np.asarray(image), width, height))
        assert (squash.image_to_tensor(Image.new("RGB", (61, 47), (0, 127, 255))) == (0, 127, 255)).all()


@pytest.mark.parametrize("geometry", ["crop", "pad", "squash"])
def test_the_geometry_is_the_documented_integer_arithmetic(geometry):
    rng = np.random.default_rng(7)
    for _ in range(60):
        width, height, w, h = (int(side) for side in rng.integers(1, [24, 24, 90, 90]))
        contract = PreprocessContract(
            width=width, height=height, geometry=geometry, pad_rgb=(9, 8, 7) if geometry == "pad" else (0, 0, 0)
        )
        image = random_image(w, h)
        assert np.array_equal(contract.image_to_tensor(image), slow_tensor(np.asarray(image), contract)), (
            contract,
            w,
            h,
        )


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if v["tensor"] and v["picture"].endswith((".png", ".bmp"))], ids=vector_id
)
def test_the_judge_makes_the_golden_tensors_of_lossless_pictures(vector):
    """Plain Image.open and the slow resize know nothing of our readers."""
    with Image.open(PICTURES / vector["picture"]) as image:
        pixels = np.asarray(image.convert("RGB"))
    assert digest(slow_tensor(pixels, PreprocessContract.from_json(vector["contract"]))) == vector["sha256"]


ORIENTED = {
    1: lambda s: s,
    2: lambda s: s[:, ::-1],
    3: lambda s: s[::-1, ::-1],
    4: lambda s: s[::-1],
    5: lambda s: s.transpose(1, 0, 2),
    6: lambda s: s[::-1].transpose(1, 0, 2),
    7: lambda s: s[::-1, ::-1].transpose(1, 0, 2),
    8: lambda s: s[:, ::-1].transpose(1, 0, 2),
}


@pytest.mark.parametrize("orientation", ORIENTED)
@pytest.mark.parametrize(("kind", "reduction"), [("", 1), ("_large", 1), ("_large", 2), ("_large", 8)])
def test_an_orientation_is_the_documented_permutation(orientation, kind, reduction):
    stored = np.asarray(decode(open_picture(PICTURES / f"orientation_1{kind}.jpg"), reduction))
    upright = np.asarray(decode(open_picture(PICTURES / f"orientation_{orientation}{kind}.jpg"), reduction))
    assert np.array_equal(upright, ORIENTED[orientation](stored))


def test_a_jpeg_without_metadata_decodes_to_what_plain_pillow_gives():
    """Leaving segments out changes no pixel; draft and reduction agree."""
    for name in (
        "sampling_420",
        "sampling_422",
        "sampling_444",
        "progressive",
        "restarts",
        "gray",
        "rgb_coded",
        "icc_p3",
    ):
        file = open_picture(PICTURES / f"{name}.jpg")
        for reduction in (1, 2, 4, 8):
            with Image.open(PICTURES / f"{name}.jpg") as image:
                image.draft(None, (301 // reduction, 203 // reduction))
                assert np.array_equal(image.convert("RGB"), decode(file, reduction)), (name, reduction)


# --- reduced decoding -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_reduced_jpeg_has_the_stored_size_divided_and_rounded_up(mode):
    rng = np.random.default_rng(3)
    for sampling, progressive in (("4:4:4", False), ("4:2:2", True), ("4:2:0", False)):
        for width, height in rng.integers(8, 200, (6, 2)).tolist():
            stream = io.BytesIO()
            image = random_image(width, height).convert(mode)
            image.save(stream, "JPEG", subsampling=sampling, progressive=progressive)
            for reduction in (1, 2, 4, 8):
                decoded = decode(open_picture(stream.getvalue()), reduction)
                assert decoded.size == (math.ceil(width / reduction), math.ceil(height / reduction))


def test_what_draft_is_asked_for_always_means_the_reduction_that_is_wanted():
    for reduction in (2, 4, 8):
        for side in range(reduction, 5000):
            assert reduction <= side // (side // reduction) < 2 * reduction


@pytest.mark.parametrize("geometry", ["crop", "pad", "squash"])
def test_a_reduction_keeps_twice_the_tensor_and_the_next_one_would_not(geometry):
    facts = picture_facts(PICTURES / "one.jpg")
    rng = np.random.default_rng(5)
    seen = set()
    for _ in range(500):
        width, height, w, h = (int(side) for side in rng.integers(1, [300, 300, 5000, 5000]))
        contract = PreprocessContract(width=width, height=height, geometry=geometry)

        def spare(s, contract=contract, w=w, h=h):
            (_, _, rw, rh), (tw, th), _ = contract.geometry_of(math.ceil(w / s), math.ceil(h / s))
            return rw >= 2 * tw and rh >= 2 * th

        chosen = contract.reduction(type(facts)(format="JPEG", width=w, height=h, mode="rgb", bits=8))
        seen.add(chosen)
        assert chosen == 1 or spare(chosen)
        assert not any(spare(s) for s in (8, 4, 2) if s > chosen)
    assert seen == {1, 2, 4, 8}


def test_only_a_jpeg_is_reduced():
    for name in ("middle_640x480.png", "rgb_24bit.bmp"):
        assert crop(2, 2).reduction(picture_facts(PICTURES / name)) == 1


# --- negative controls ------------------------------------------------------------------------------------------------


def mutant_tensor(vector, mutant):
    contract = PreprocessContract.from_json(vector["contract"])
    file = open_picture(PICTURES / vector["picture"])
    image = decode(file, 1 if mutant == "full decode" else vector["reduction"])
    if mutant == "bgr":
        return contract.image_to_tensor(image)[..., ::-1]
    (x, y, w, h), (tw, th), place = contract.geometry_of(*image.size)
    box = (x, y, x + w, y + h)
    if mutant == "crop off by one" and x + y > 0:
        box = (box[0] - (x > 0), box[1] - (y > 0), box[2] - (x > 0), box[3] - (y > 0))
    filters = {"nearest": 0, "bicubic": 3, "box": 4}
    region = image.crop(box)
    if mutant == "vertical first":
        region = region.resize((w, th), Image.Resampling.BILINEAR)
    if mutant == "filter sees outside":
        region = image.resize((tw, th), Image.Resampling.BILINEAR, box=box)
    elif mutant == "not antialiased":
        region = region.transform((tw, th), Image.Transform.EXTENT, (0, 0, w, h), Image.Resampling.BILINEAR)
    elif mutant == "two steps":
        region = region.resize((tw, th), Image.Resampling.BILINEAR, reducing_gap=1.0)
    else:
        for size in ((tw, region.height), (tw, th)):
            region = region.resize(size, filters.get(mutant, Image.Resampling.BILINEAR))
    tensor = Image.new("RGB", (contract.width, contract.height), contract.pad_rgb)
    tensor.paste(region, place)
    return np.asarray(tensor)


@pytest.mark.parametrize(
    ("mutant", "share"),
    [
        ("none", 0.0), ("bgr", 0.8), ("nearest", 0.9), ("bicubic", 0.9), ("box", 0.9), ("not antialiased", 0.8),
        ("crop off by one", 0.5), ("full decode", 0.4), ("two steps", 0.5), ("vertical first", 0.5),
        ("filter sees outside", 0.25),
    ],
)  # fmt: skip
def test_a_wrong_implementation_fails_the_golden_vectors(mutant, share):
    caught = [digest(mutant_tensor(vector, mutant)) != vector["sha256"] for vector in VECTORS]
    assert sum(caught) == 0 if mutant == "none" else sum(caught) >= share * len(VECTORS), sum(caught) / len(VECTORS)


# --- the contract as a value ------------------------------------------------------------------------------------------


def test_a_contract_survives_json_and_keeps_its_identity():
    contract = PreprocessContract(width=300, height=200, geometry="pad", pad_rgb=(1, 2, 3))
    again = PreprocessContract.from_json(json.loads(json.dumps(contract.to_json())))
    assert (again, again.sha256) == (contract, contract.sha256)


def test_the_identity_of_a_contract_is_the_hash_of_its_documented_json():
    text = b'{"geometry":"crop","height":224,"pad_rgb":[0,0,0],"version":1,"width":224}'
    assert crop(224, 224).sha256 == sha256(text).hexdigest()
    others = [crop(224, 223), PreprocessContract(width=224, height=224, geometry="pad")]
    assert len({crop(224, 224).sha256, *(contract.sha256 for contract in others)}) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resample": "area"}, "unknown: resample"),
        ({"width": None}, "width is None; it must be an integer"),
        ({"width": True}, "width is True"),
        ({"height": 224.0}, "height is 224.0"),
        ({"height": 0}, "1 to 4096"),
        ({"geometry": "fit"}, "known: crop, pad, squash"),
        ({"geometry": ["crop"]}, "known: crop, pad, squash"),
        ({"pad_rgb": [0, 0]}, "three integers"),
        ({"pad_rgb": [0, 0, 256], "geometry": "pad"}, "three integers"),
        ({"pad_rgb": "black"}, "three integers"),
        ({"pad_rgb": [1, 1, 1]}, "no effect with geometry 'crop'"),
        ({"version": 2}, "version 2 is unknown; this package has 1"),
        ({"version": True}, "version True"),
    ],
)
def test_a_wrong_contract_in_an_artefact_is_refused_with_what_would_be_right(change, message):
    with pytest.raises(ArtifactError, match="preprocessing") as caught:
        PreprocessContract.from_json({**crop(224, 224).to_json(), **change})
    assert message in str(caught.value)


def test_a_contract_with_missing_keys_or_of_another_type_is_refused():
    with pytest.raises(ArtifactError, match="missing: geometry, pad_rgb; the keys must be version, width"):
        PreprocessContract.from_json({"version": 1, "width": 2, "height": 2})
    with pytest.raises(ArtifactError, match="is list; it must be an object with version"):
        PreprocessContract.from_json([])


def test_a_wrong_contract_in_a_recipe_is_a_recipe_error():
    with pytest.raises(RecipeError, match="width is 5000; it must be an integer, 1 to 4096"):
        crop(5000, 224)


def test_a_tensor_is_writable_and_contiguous():
    tensor = crop(20, 20).to_tensor(PICTURES / "odd_37x23.png")
    assert tensor.flags.writeable
    assert tensor.flags.c_contiguous


def test_an_image_in_another_mode_is_a_bug_of_the_caller():
    with pytest.raises(ValueError, match="this one is L"):
        crop(2, 2).image_to_tensor(Image.new("L", (4, 4)))
