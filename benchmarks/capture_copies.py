"""What the benchmark of the capture gate shows it: spoiled copies of pictures, which it should refuse, natural ones,
which it should take, and scenes without any lesion."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from edge_melanoma.data.synth import SynthRecipe
from edge_melanoma.data.synth.artefacts import Overlay, overlay
from edge_melanoma.data.synth.colour import MELANIN, absorb, linear_to_srgb, ramp
from edge_melanoma.data.synth.latents import case_of
from edge_melanoma.data.synth.view import look_at

Floats = NDArray[np.float64]
Change = Callable[[Image.Image, np.random.Generator], Image.Image]

_SRGB = np.arange(256) / 255
_LINEAR = np.where(_SRGB <= 0.04045, _SRGB / 12.92, ((_SRGB + 0.055) / 1.055) ** 2.4)
_DRAWN = SynthRecipe(lesions=10_000)
_SCENE = (600, 450)
_LAMPS = {"white lamp": (1.0, 1.0, 1.0), "warm lamp": (1.0, 0.93, 0.80), "cold lamp": (0.92, 0.97, 1.0)}
_WORDS = ("the", "of", "lesion", "and", "report", "with", "visit", "date", "from", "dose", "12", "3", "47", "patient")


def to_light(picture: Image.Image) -> Floats:
    """Linear light (row, column, 3), 0 to 1."""
    return np.asarray(_LINEAR[np.asarray(picture)])


def from_light(light: Floats) -> Image.Image:
    """The picture of linear light; what is above 1 is clipped."""
    return Image.fromarray((linear_to_srgb(light) * 255 + 0.5).astype(np.uint8))


def exposed(picture: Image.Image, stops: float) -> Image.Image:
    """So many times twice the light."""
    return from_light(to_light(picture) * 2.0**stops)


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def photographed(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """With the noise and the JPEG that a camera adds after the lens did what it did."""
    noisy = np.asarray(picture) + rng.normal(0, 2, (picture.height, picture.width, 3))
    return jpeg(Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)), 85)


def _blurred(picture: Image.Image, rng: np.random.Generator, *, share: float) -> Image.Image:
    return photographed(picture.filter(ImageFilter.GaussianBlur(share * picture.height)), rng)


def _shaken(picture: Image.Image, rng: np.random.Generator, *, share: float, degrees: float = 0) -> Image.Image:
    """Moved along a line while the shutter was open."""
    steps = max(2, round(share * picture.width))
    wide = Image.fromarray(np.pad(np.asarray(picture), ((steps, steps), (steps, steps), (0, 0)), mode="reflect"))
    right, down = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    places = [(1, 0, steps + step * right, 0, 1, steps + step * down) for step in np.linspace(-0.5, 0.5, steps) * steps]
    affine, smooth = Image.Transform.AFFINE, Image.Resampling.BILINEAR
    moved = np.mean([np.asarray(wide.transform(picture.size, affine, place, smooth)) for place in places], axis=0)
    return photographed(Image.fromarray(moved.astype(np.uint8)), rng)


def _exposed(picture: Image.Image, rng: np.random.Generator, *, stops: float) -> Image.Image:
    return photographed(exposed(picture, stops), rng)


def _shrunk(picture: Image.Image, rng: np.random.Generator, *, times: int) -> Image.Image:
    return picture.resize((picture.width // times, picture.height // times), Image.Resampling.BILINEAR)


def _moved(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Half a picture to the side: the lesion is cut in two at the border."""
    return Image.fromarray(np.roll(np.asarray(picture), picture.width // 2, axis=1))


def _grey(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return picture.convert("L").convert("RGB")


def _reflecting(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A flash on a wet surface: a white spot over a twelfth of the picture."""
    row, column = np.mgrid[: picture.height, : picture.width]
    x, y = rng.uniform(0.3, 0.7, 2) * picture.size
    spot = 1 - ramp(np.hypot(column - x, row - y) / (0.2 * picture.width), 0.7, 1.0)
    return from_light(to_light(picture) + spot[..., None])


def _brightened(picture: Image.Image, rng: np.random.Generator, *, gain: float) -> Image.Image:
    return ImageEnhance.Brightness(picture).enhance(gain)


def _compressed(picture: Image.Image, rng: np.random.Generator, *, quality: int) -> Image.Image:
    return jpeg(picture, quality)


def _turned(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return picture.transpose(Image.Transpose.ROTATE_90)


def with_artefact(picture: Image.Image, rng: np.random.Generator, *, name: str) -> Image.Image:
    """The generator's hairs, ink and so on, drawn over a real lesion: on a square, pressed into other shapes."""
    lesion, side = case_of(_DRAWN, int(rng.integers(_DRAWN.lesions))).lesion, max(picture.size)
    layer = overlay(name, lesion, look_at(lesion, 0, side), 0)
    cells = np.ix_(*(np.arange(length) * side // length for length in (picture.height, picture.width)))
    return from_light(Overlay(gain=layer.gain[cells], glow=layer.glow[cells]).over(to_light(picture)))


def _round(picture: Image.Image, rng: np.random.Generator, *, share: float) -> Image.Image:
    """A round field of view, seen all around; its edge is soft."""
    row, column = np.mgrid[: picture.height, : picture.width] + 0.5
    distance = np.hypot(column - picture.width / 2, row - picture.height / 2) / picture.width
    outside = ramp(distance, share / 2 - 0.015, share / 2 + 0.015)[..., None]
    return from_light(to_light(picture) * (1 - outside) + 0.0015 * outside)


def _darker_skin(picture: Image.Image, rng: np.random.Generator, *, depth: float) -> Image.Image:
    """More melanin before everything (Beer-Lambert); the camera's exposure makes up for half of it, in stops."""
    light = absorb(to_light(picture), np.full((picture.height, picture.width), depth), MELANIN)
    return from_light(light * np.exp(0.5 * depth))


SPOILED: Mapping[str, Change] = {
    **{f"blur, sigma {share:.1%} of the height": partial(_blurred, share=share) for share in (0.005, 0.01, 0.02, 0.03)},
    **{f"shaken by {share:.0%} of the width": partial(_shaken, share=share) for share in (0.03, 0.06)},
    "shaken by 6% of the width, at 30 degrees": partial(_shaken, share=0.06, degrees=30),
    **{f"exposure {stops:+d} stops": partial(_exposed, stops=stops) for stops in (-4, -3, -2, 1, 2)},
    "grey": _grey,
    "reflection over a twelfth": _reflecting,
    "half a picture aside": _moved,
    "a third of the pixels": partial(_shrunk, times=3),
}
NATURAL: Mapping[str, Change] = {
    "turned by 90 degrees": _turned,
    **{f"JPEG {quality}": partial(_compressed, quality=quality) for quality in (60, 30)},
    **{f"brightness x {gain}": partial(_brightened, gain=gain) for gain in (0.8, 1.15)},
    **{f"with {name}": partial(with_artefact, name=name) for name in ("hair", "ruler", "ink", "bubble", "vignette")},
    **{f"round field of view, {share:.0%} of the width": partial(_round, share=share) for share in (0.94, 0.8)},
    **{f"melanin added, optical depth {depth}": partial(_darker_skin, depth=depth) for depth in (0.4, 0.8, 1.2)},
}


def scene(name: str, lamp: str, rng: np.random.Generator) -> Image.Image:
    """Something without a lesion under a lamp."""
    width, height = _SCENE
    row, column = np.mgrid[:height, :width]
    angle = rng.uniform(0, 2 * np.pi)
    slope = (column / width - 0.5) * np.cos(angle) + (row / height - 0.5) * np.sin(angle)
    light = rng.uniform(0.75, 1.05) * (1 + rng.uniform(0, 0.25) * slope)[..., None]
    seen = Image.fromarray(np.clip(SCENES[name](rng) * _LAMPS[lamp] * light, 0, 255).astype(np.uint8))
    return photographed(seen.filter(ImageFilter.GaussianBlur(0.7)), rng)


def _plain(*colour: float) -> Callable[[np.random.Generator], Floats]:
    return lambda rng: np.tile(np.array(colour), (_SCENE[1], _SCENE[0], 1))


def _grained(colour: tuple[float, ...], spread: tuple[float, ...], grain: float) -> Callable[..., Floats]:
    def draw(rng: np.random.Generator) -> Floats:
        noise = Image.fromarray(rng.integers(0, 256, (_SCENE[1], _SCENE[0]), np.uint8))
        smooth = np.asarray(noise.filter(ImageFilter.GaussianBlur(grain)), np.float64)
        return np.asarray(np.array(colour) + ((smooth - smooth.mean()) / smooth.std())[..., None] * np.array(spread))

    return draw


def _text(rng: np.random.Generator) -> Floats:
    page, size = Image.new("RGB", _SCENE, (238, 238, 238)), int(rng.integers(10, 42))
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=size)
    for top in range(5, _SCENE[1], int(1.4 * size)):
        pen.text((int(rng.integers(0, 40)), top), " ".join(rng.choice(_WORDS, 40)), fill=(25, 25, 25), font=font)
    return np.asarray(page, np.float64)


def _screen(rng: np.random.Generator) -> Floats:
    page = Image.new("RGB", _SCENE, (250, 250, 252))
    for _ in range(12):
        left, top = int(rng.integers(_SCENE[0])), int(rng.integers(_SCENE[1]))
        right, bottom = left + int(rng.integers(20, 250)), top + int(rng.integers(8, 120))
        fill = tuple(int(value) for value in rng.choice([30, 60, 120, 200, 240], 3))
        ImageDraw.Draw(page).rectangle([left, top, right, bottom], fill=fill)
    return np.asarray(page, np.float64)


SCENES: Mapping[str, Callable[[np.random.Generator], Floats]] = {
    "page of text": _text,
    "screen": _screen,
    "grey card": _plain(118, 118, 118),
    "plain wall": _plain(232, 226, 214),
    **{f"blank in the colour of {tone} skin": _grained(colour, (2, 2, 2), 0.7) for tone, colour in (
        ("light", (224, 172, 140)), ("tan", (198, 134, 105)), ("brown", (141, 85, 60)), ("dark", (92, 58, 45)))},
    "grass": _grained((90, 130, 55), (25, 30, 20), 1.5),
    "jeans": _grained((60, 80, 120), (14, 15, 17), 0.7),
    "carpet, brown": _grained((150, 105, 70), (18, 14, 10), 2.0),
}  # fmt: skip
LAMPS = tuple(_LAMPS)
