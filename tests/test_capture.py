"""A picture that is not fit to be judged is refused by the same numbers everywhere, and a fit one is not."""

import dataclasses
import importlib.util
import json
import math
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from edge_melanoma.capture import measure
from edge_melanoma.capture.fit import fit_capture_gate
from edge_melanoma.capture.limits import CODES
from edge_melanoma.capture.measures import otsu_level
from edge_melanoma.data.synth import SynthRecipe
from edge_melanoma.data.synth.dataset import picture_of
from edge_melanoma.data.synth.latents import case_of
from edge_melanoma.preprocess import PreprocessContract

GOLDEN = Path(__file__).parent / "golden"
SIDE = 64
CONTRACT = PreprocessContract(width=SIDE, height=SIDE)
DRAWN = SynthRecipe(lesions=230, size=96, classes=7)


def measured(image, contract=CONTRACT):
    return measure(contract.image_to_tensor(image), contract, image.size)


@pytest.fixture(scope="module")
def pictures():
    return [Image.fromarray(picture_of(DRAWN, case_of(DRAWN, number), 0)) for number in range(DRAWN.lesions)]


@pytest.fixture(scope="module")
def gate(pictures):
    """Fitted on the pictures but the last thirty."""
    return fit_capture_gate([measured(picture) for picture in pictures[:-30]], CONTRACT)


@pytest.fixture(scope="module")
def unseen(pictures):
    return pictures[-30:]


def random_tensor(seed, height=23, width=31):
    """Blobs, black parts, clipped parts, noise: something of everything."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 4, 3), np.uint8)
    picture = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), float)
    picture = (picture - 128) * rng.uniform(0.5, 2.5) + rng.uniform(60, 190) + rng.normal(0, 8, (height, width, 3))
    return np.clip(picture, 0, 255).astype(np.uint8)


# --- the numbers, by a judge that counts pixel by pixel as tests/golden/CAPTURE.md says ---


def counted(tensor):
    """The page as loops over Python's whole numbers and fractions."""
    h, w = len(tensor), len(tensor[0])
    pixel = [[tuple(int(v) for v in tensor[y][x]) for x in range(w)] for y in range(h)]
    far = {(x, y): ((2 * x + 1 - w) * h) ** 2 + ((2 * y + 1 - h) * w) ** 2 for y in range(h) for x in range(w)}
    ellipse = [at for at, distance in far.items() if distance <= (w * h) ** 2]
    black = {(x, y) for x, y in far if max(pixel[y][x]) < 20}
    seen = set(ellipse) - {(x + i, y + j) for x, y in black for i in range(-2, 3) for j in range(-2, 3)}
    luma = {}
    for x, y in far:
        r, g, b = pixel[y][x]
        luma[x, y] = (19595 * r + 38470 * g + 7471 * b + 32768) >> 16
    of_seen = [pixel[y][x] for x, y in seen]
    squares, lumas = [0, 0, 0, 0], 0
    for x, y in far:
        if all((x + i, y + j) in seen for i in (-1, 0, 1) for j in (-1, 0, 1)):
            for line, (i, j) in enumerate([(1, 0), (0, 1), (1, 1), (1, -1)]):
                difference = luma[x + i, y + j] + luma[x - i, y - j] - 2 * luma[x, y]
                squares[line] += (2 if 0 in (i, j) else 1) * difference**2
            lumas += luma[x, y]
    threshold = best_threshold([b for _, _, b in of_seen])
    lesion = {(x, y) for x, y in seen if threshold is not None and pixel[y][x][2] <= threshold}
    centre = {at for at in seen if 4 * far[at] <= (w * h) ** 2}
    pairs = [((x, y), to) for x, y in seen for to in ((x + 1, y), (x, y + 1)) if to in seen]
    dark, light = ([pixel[y][x][2] for x, y in part] for part in (lesion, seen - lesion))
    share = lambda part, whole: float(Fraction(part, whole)) if whole else 0.0  # noqa: E731
    none = threshold is None
    return {
        "black_share": share(len(black & set(ellipse)), len(ellipse)),
        "mean_luma": share(sum(luma[at] for at in seen), len(seen)),
        "clipped_share": share(sum(sorted(p)[1] >= 250 for p in of_seen), len(seen)),
        "glare_share": share(sum(min(p) >= 240 for p in of_seen), len(seen)),
        "sharpness": share(min(squares), lumas),
        "skin_share": share(sum(25 * r >= 26 * g for r, g, _ in of_seen), len(seen)),
        "contrast": 0.0 if none else (sum(light) / len(light) - sum(dark) / len(dark)) / (sum(light) / len(light)),
        "lesion_share": share(len(lesion), len(seen)),
        "centre_share": share(len(lesion & centre), len(centre)),
        "scatter_share": 0.0 if none else share(sum((a in lesion) != (b in lesion) for a, b in pairs), len(pairs)),
    }


def best_threshold(values):
    """Otsu by exhaustive search: the least variance inside the two parts, in exact fractions."""
    best = None
    for level in range(256):
        low, high = [v for v in values if v <= level], [v for v in values if v > level]
        if low and high:
            inside = sum(sum(v * v for v in part) - Fraction(sum(part) ** 2, len(part)) for part in (low, high))
            if best is None or inside < best[0]:
                best = (inside, level)
    return best and best[1]


@pytest.mark.parametrize("seed", range(8))
def test_every_number_is_what_counting_gives(seed):
    tensor = random_tensor(seed)
    found = measure(tensor, PreprocessContract(width=31, height=23, geometry="squash"), (310, 230))
    expected = counted(tensor)
    assert {name: getattr(found, name) for name in expected} == expected
    assert (found.width_px, found.height_px) == (310, 230)


def test_luma_is_pillows():
    tensor = np.maximum(random_tensor(3, 40, 40), 20)
    found = measure(tensor, PreprocessContract(width=40, height=40), (40, 40))
    y, x = np.mgrid[:40, :40]
    seen = (2 * x - 39) ** 2 + (2 * y - 39) ** 2 <= 1600
    assert found.mean_luma == np.asarray(Image.fromarray(tensor).convert("L"))[seen].sum() / seen.sum()


def test_of_equally_good_levels_otsu_takes_the_lowest():
    levels = np.zeros(256, np.int64)
    levels[[10, 200]] = 5
    assert otsu_level(levels) == 10
    levels[[10, 200]] = [0, 9]
    assert otsu_level(levels) is None
    assert otsu_level(np.zeros(256, np.int64)) is None


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_or_mirrored_picture_has_the_same_numbers(turns):
    for seed in range(5):
        tensor = random_tensor(seed, 32, 32)
        contract = PreprocessContract(width=32, height=32)
        turned = np.ascontiguousarray(np.rot90(tensor, turns))
        assert measure(turned, contract, (99, 99)) == measure(tensor, contract, (99, 99))
        assert measure(tensor[:, ::-1], contract, (99, 99)) == measure(tensor, contract, (99, 99))


@pytest.mark.parametrize("value", [0, 19, 20, 128, 255])
def test_a_picture_of_one_colour_is_measured_without_a_warning(value):
    found = measure(np.full((SIDE, SIDE, 3), value, np.uint8), CONTRACT, (SIDE, SIDE))
    assert all(math.isfinite(number) for number in dataclasses.astuple(found))
    assert (found.contrast, found.sharpness, found.skin_share) == (0, 0, 0)
    assert found.black_share == (value < 20)


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 40), (3, 3)])
def test_the_smallest_tensors_are_measured(size):
    contract = PreprocessContract(width=size[0], height=size[1])
    for seed in range(3):
        tensor = random_tensor(seed, size[1], size[0])
        found = measure(tensor, contract, size)
        expected = counted(tensor)
        assert {name: getattr(found, name) for name in expected} == expected


def test_the_border_of_a_padded_picture_is_left_out():
    contract = PreprocessContract(width=60, height=60, geometry="pad", pad_rgb=(255, 255, 255))
    picture = Image.fromarray(random_tensor(1, 90, 180))
    tensor = contract.image_to_tensor(picture)
    found = measure(tensor, contract, picture.size)
    expected = counted(tensor[16:44])  # 30 rows of picture from row 15 on, less one at each border
    assert {name: getattr(found, name) for name in expected} == expected
    tensor[:15], tensor[45:] = 0, 7
    assert measure(tensor, contract, picture.size) == found


def test_resolution_is_that_of_the_part_which_is_looked_at():
    tensor = random_tensor(1, SIDE, SIDE)
    found = measure(tensor, CONTRACT, (400, 90))
    assert (found.width_px, found.height_px) == (90, 90)
    with pytest.raises(ValueError, match="no tensor of this contract"):
        measure(tensor[:-1], CONTRACT, (400, 90))


def test_the_golden_measures_are_those_of_this_package():
    spec = importlib.util.spec_from_file_location("make_capture", GOLDEN / "make_capture.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (GOLDEN / "capture.json").read_bytes() == module.expected()


def test_the_golden_measures_have_every_code_and_every_measure_at_work():
    vectors = json.loads((GOLDEN / "capture.json").read_text(encoding="utf-8"))["vectors"]
    assert {code for vector in vectors for code in vector["codes"]} == set(CODES)
    for name in vectors[0]["measures"]:
        assert len({vector["measures"][name] for vector in vectors}) >= 4


# --- what the gate says of drawn pictures ---


def codes(gate, image):
    return {reason.code for reason in gate.reasons(measured(image))}


def refused_share(gate, images, code=None):
    found = [codes(gate, image) for image in images]
    return sum(bool(each) if code is None else code in each for each in found) / len(found)


def test_it_takes_nearly_all_pictures_like_those_it_was_fitted_on(gate, unseen):
    assert gate.fitted_on["rejected"]["any"] <= 0.05 * 200
    assert refused_share(gate, unseen) <= 0.15


def test_it_refuses_blurred_dark_bright_and_grey_pictures(gate, unseen):
    blurred = [picture.filter(ImageFilter.GaussianBlur(4)) for picture in unseen]
    assert refused_share(gate, blurred, "blurred") > 0.9
    dark = [ImageEnhance.Brightness(picture).enhance(0.3) for picture in unseen]
    assert refused_share(gate, dark, "too_dark") > 0.9
    bright = [ImageEnhance.Brightness(picture).enhance(2.5) for picture in unseen]
    assert refused_share(gate, bright) > 0.9
    grey = [picture.convert("L").convert("RGB") for picture in unseen]
    assert refused_share(gate, grey, "not_skin") == 1


def text_page():
    page = Image.new("RGB", (96, 96), (235, 215, 190))  # under a warm lamp, where paper has the colour of skin
    for row in range(4, 96, 9):
        ImageDraw.Draw(page).text((2, row), "a lesion, a date, a name", fill=(60, 50, 45))
    return page


def test_it_refuses_what_is_no_lesion(gate):
    rng = np.random.default_rng(0)
    skin = np.clip(np.array([205, 160, 135]) + rng.normal(0, 3, (96, 96, 1)), 0, 255).astype(np.uint8)
    assert "no_lesion" in codes(gate, Image.fromarray(skin))
    assert "scattered" in codes(gate, text_page())
    assert {"not_skin", "no_lesion", "blurred"} <= codes(gate, Image.new("RGB", (96, 96), (119, 119, 119)))
    assert "mostly_black" in codes(gate, Image.new("RGB", (96, 96)))
    assert "glare" in codes(gate, Image.new("RGB", (96, 96), (252, 252, 252)))


def test_it_refuses_an_enlarged_picture_whatever_its_tensor_is_like(gate, unseen):
    picture = next(picture for picture in unseen if not codes(gate, picture))
    small = dataclasses.replace(measured(picture), width_px=40, height_px=40)
    (reason,) = gate.reasons(small)  # one code, though both sides are too short
    assert reason.code == "too_small"


def test_a_round_field_of_view_is_no_reason(gate, unseen):
    y, x = np.mgrid[:96, :96]
    outside = (x - 47.5) ** 2 + (y - 47.5) ** 2 > 40**2
    rounded = [Image.fromarray(np.where(outside[..., None], 3, np.asarray(picture)).astype("u1")) for picture in unseen]
    assert refused_share(gate, rounded) <= refused_share(gate, unseen) + 0.1
    assert refused_share(gate, rounded, "mostly_black") == 0


@pytest.mark.parametrize("artefact", ["hair", "ruler", "ink", "bubble", "vignette"])
def test_what_lies_on_skin_by_nature_is_seldom_a_reason(gate, artefact):
    twins = [picture_of(DRAWN, case_of(DRAWN, number), 0, toggle=artefact) for number in range(200, 230)]
    assert refused_share(gate, [Image.fromarray(twin) for twin in twins]) <= 0.2


def test_dark_skin_is_no_reason(gate):
    tones = SynthRecipe(lesions=40, size=96, classes=7, tone_weights=(0, 0, 0, 0, 0, 1), seed=3)
    dark = [Image.fromarray(picture_of(tones, case_of(tones, number), 0)) for number in range(40)]
    assert refused_share(gate, dark) <= 0.15


def test_measuring_needs_nothing_heavy():
    code = (
        "import sys, edge_melanoma.capture\n"
        "heavy = ('tensorflow', 'polars', 'matplotlib', 'multiprocessing', 'edge_melanoma.bundle')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
