import hashlib
import io
import time

import numpy as np
import pytest
from PIL import Image

from edge_melanoma.data.fingerprint import HASH_BITS, NEAR_LIMIT, fingerprint


def lesion(seed, size=(600, 450)):
    """A dark irregular blob on skin, with texture of all scales."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j]
    angle = np.arctan2(y - rng.normal(0, 0.1), x - rng.normal(0, 0.1))
    edge = 0.45 + sum(rng.normal(0, 0.06) * np.cos(k * angle + rng.uniform(0, 6)) for k in range(1, 7))
    blob = 1 / (1 + np.exp((np.hypot(x, y) - edge) * 12))
    texture = np.zeros(size[::-1])
    for scale in (6, 12, 24, 48):
        coarse = Image.fromarray(rng.normal(0, 60 / scale, (scale, scale)).astype(np.float32))
        texture += np.asarray(coarse.resize(size, Image.Resampling.BICUBIC))
    gray = 190 - 110 * blob + 3 * texture
    pixels = np.stack([gray + 20, gray - 10, gray - 25], axis=-1)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def encoded(image, form="JPEG", **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def bits_apart(one, other):
    return (int(one.phash, 16) ^ int(other.phash, 16)).bit_count()


def printed(image, form="PNG", **options):
    return fingerprint(encoded(image, form, **options), "made")


def brightened(image, factor):
    return Image.fromarray(np.clip(np.asarray(image) * factor, 0, 255).astype(np.uint8))


COPIES = {
    "JPEG 95": lambda image: printed(image, "JPEG", quality=95),
    "JPEG 60": lambda image: printed(image, "JPEG", quality=60),
    "progressive JPEG": lambda image: printed(image, "JPEG", quality=85, progressive=True),
    "BMP": lambda image: printed(image, "BMP"),
    "a third of the size": lambda image: printed(image.resize((200, 150)), "JPEG", quality=85),
    "four times the size": lambda image: printed(image.resize((2400, 1800)), "JPEG", quality=85),
    "brighter": lambda image: printed(brightened(image, 1.08), "JPEG", quality=90),
    "darker": lambda image: printed(brightened(image, 0.9), "JPEG", quality=90),
    "gray": lambda image: printed(image.convert("L")),
    "256 colours": lambda image: printed(image.quantize(256)),
    "with alpha": lambda image: printed(image.convert("RGBA")),
    "16 bits": lambda image: printed(Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)),
    "CMYK": lambda image: printed(image.convert("CMYK"), "JPEG", quality=90),
}


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_of_a_picture_is_near_it(copy):
    for seed in range(5):
        image = lesion(seed)
        assert bits_apart(printed(image), COPIES[copy](image)) <= NEAR_LIMIT


def test_different_lesions_are_far_from_each_other():
    prints = [printed(lesion(seed, (300, 225))) for seed in range(40)]
    apart = [bits_apart(a, b) for k, a in enumerate(prints) for b in prints[:k]]
    assert min(apart) > 2 * NEAR_LIMIT


def test_what_exif_turns_is_hashed_upright():
    image = lesion(0)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = printed(image.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif)
    assert (turned.width, turned.height) == (450, 600)  # as stored
    assert bits_apart(turned, printed(image)) <= NEAR_LIMIT


def test_the_hash_is_the_sign_of_256_dct_coefficients():
    """Against the definition of the DCT, one coefficient at a time."""
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32)).astype(np.uint8)
    found = int(printed(Image.fromarray(pixels)).phash, 16)
    k = np.arange(32)
    for u in range(1, 17):
        for v in range(1, 17):
            waves = np.outer(np.cos(np.pi * u * (k + 0.5) / 32), np.cos(np.pi * v * (k + 0.5) / 32))
            bit = found >> (HASH_BITS - 1 - ((u - 1) * 16 + v - 1)) & 1
            assert bit == int((waves * pixels).sum() > 0)


def test_plain_pictures_have_one_and_the_same_hash():
    black, skin = Image.new("RGB", (301, 207)), Image.new("RGB", (64, 48), (200, 150, 130))
    assert {printed(black).phash, printed(skin).phash, printed(skin, "JPEG").phash} == {"0" * (HASH_BITS // 4)}


def test_bytes_that_are_no_picture_have_a_sha256_and_no_perceptual_hash():
    whole = encoded(lesion(0))
    for data in (b"", b"no picture", whole[: len(whole) // 2], encoded(lesion(0), "TIFF")):
        found = fingerprint(data, "broken")
        assert found.sha256 == hashlib.sha256(data).hexdigest()
        assert found.phash is None


def test_a_jpeg_of_usual_size_takes_a_few_milliseconds():
    data = encoded(lesion(0), quality=92)
    start = time.perf_counter()
    for _ in range(10):
        fingerprint(data, "made")
    assert (time.perf_counter() - start) / 10 < 0.02
