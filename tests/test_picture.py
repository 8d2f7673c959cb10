"""Pictures as files: what is known of them undecoded, what is refused and how it is said, hostile bytes."""

import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from edge_melanoma.picture import PictureError, picture_facts, read_picture
from edge_melanoma.preprocess import PreprocessContract

PICTURES = Path(__file__).parent / "golden" / "pictures"


def crop(width, height):
    return PreprocessContract(width=width, height=height)


def fields(name, *wanted):
    facts = picture_facts(PICTURES / name)
    return tuple(getattr(facts, field) for field in wanted)


def test_facts_are_known_without_decoding_also_of_refused_pictures():
    assert fields("refused_cmyk.jpg", "format", "mode", "refused") == ("JPEG", "cmyk", "cmyk")
    assert fields("refused_gray16.png", "mode", "bits", "refused") == ("gray", 16, "16-bit")
    assert fields("refused_rgb16.png", "mode", "bits", "refused") == ("rgb", 16, "16-bit")
    assert fields("refused_huge.png", "width", "height", "refused") == (20000, 20000, "size")
    assert fields("refused_12bit.jpg", "bits", "refused") == (12, "coding")
    assert fields("refused_alpha.png", "mode", "alpha", "refused") == ("rgba", True, None)  # only pixels tell
    assert fields("refused_transparent_palette.png", "mode", "bits", "alpha") == ("palette", 4, True)
    assert fields("gray_alpha_opaque.png", "mode", "alpha", "refused") == ("gray-alpha", True, None)
    assert fields("gray.jpg", "mode", "bits", "exif", "icc") == ("gray", 8, False, None)
    assert fields("palette_4bit.bmp", "format", "mode", "bits") == ("BMP", "palette", 4)
    assert fields("two_pictures.jpg", "format", "width", "height") == ("JPEG", 301, 203)


def test_facts_name_profile_and_orientation():
    assert fields("icc_p3.jpg", "icc") == ("Display P3 (golden)",)
    assert fields("gamma_icc_exif.png", "icc", "exif", "orientation") == ("Display P3 (golden)", True, 1)
    facts = picture_facts(PICTURES / "orientation_6_large.jpg")
    assert (facts.width, facts.height, facts.orientation, facts.upright_size) == (1800, 1350, 6, (1350, 1800))
    assert fields("exif_broken.jpg", "exif", "orientation") == (True, 1)


@pytest.mark.parametrize(("gps_tags", "expected"), [((1, 2, 3, 4), True), ((0,), False), ((), False)])
def test_a_position_in_exif_is_found_and_an_empty_gps_block_is_none(gps_tags, expected):
    gps = struct.pack("<H", len(gps_tags)) + b"".join(struct.pack("<HHI4s", tag, 1, 4, bytes(4)) for tag in gps_tags)
    tiff = b"II*\0" + struct.pack("<IHHHIII", 8, 1, 0x8825, 4, 1, 26, 0) + gps + bytes(4)
    jpeg = (PICTURES / "odd_37x23.jpg").read_bytes()
    block = struct.pack(">BBH", 0xFF, 0xE1, len(tiff) + 8) + b"Exif\0\0" + tiff
    facts = picture_facts(jpeg[:2] + block + jpeg[2:])
    assert (facts.exif, facts.gps) == (True, expected)


def test_the_size_limit_is_128_megapixels():
    data = (PICTURES / "refused_huge.jpg").read_bytes()
    assert picture_facts(data).refused == "size"
    allowed = data.replace(struct.pack(">HH", 8001, 16000), struct.pack(">HH", 8000, 16000))
    assert picture_facts(allowed).refused is None


def test_a_picture_above_the_limit_of_the_host_program_is_read_without_a_warning(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert crop(20, 20).to_tensor(PICTURES / "odd_37x23.png").shape == (20, 20, 3)
    assert crop(600, 600).to_tensor(PICTURES / "big_12mp.jpg").shape == (600, 600, 3)


def test_reading_changes_no_global_state_of_pillow():
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    read_picture(PICTURES / "odd_37x23.jpg")
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


def test_bytes_and_a_path_give_the_same_and_the_suffix_means_nothing(tmp_path):
    data = (PICTURES / "odd_37x23.png").read_bytes()
    (tmp_path / "picture.jpg").write_bytes(data)
    assert np.array_equal(crop(9, 9).to_tensor(data), crop(9, 9).to_tensor(tmp_path / "picture.jpg"))


def test_a_picture_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(PictureError, match=r"gone\.jpg: does not exist"):
        read_picture(tmp_path / "gone.jpg")
    with pytest.raises(PictureError, match="is not a file; name a picture"):
        read_picture(tmp_path)
    with pytest.raises(PictureError, match=r"^set\.hdf5#7: is empty"):
        read_picture(b"", name="set.hdf5#7")


def test_what_is_handed_in_by_mistake_is_called_by_its_name():
    for data, words in (
        (bytes(128) + b"DICM", "a DICOM file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer, not the picture itself"),
        (b"BMI,age\n22,41\n" + bytes(20), "begins like a BMP"),
        (b"PK\x03\x04....", "a ZIP archive"),
        (bytes(range(100)), "not a picture of a known kind"),
    ):
        with pytest.raises(PictureError) as caught:
            picture_facts(data)
        assert words in str(caught.value)
        assert caught.value.reason == "format"


def test_a_refusal_travels_between_processes():
    error = pickle.loads(pickle.dumps(PictureError("a.jpg", "cmyk", "is CMYK")))
    assert (str(error), error.reason, error.name) == ("a.jpg: is CMYK", "cmyk", "a.jpg")


def with_right_checksums(data):
    """A mutated PNG whose chunks still look intact, so that the mutation reaches the decoder."""
    out, position = bytearray(data[:8]), 8
    while position + 12 <= len(data):
        end = position + 12 + struct.unpack_from(">I", data, position)[0]
        if end > len(data):
            break
        out += data[position : end - 4] + struct.pack(">I", zlib.crc32(data[position + 4 : end - 4]))
        position = end
    return bytes(out) + data[position:]


def mutated(data, rng):
    data = bytearray(data)
    kind = rng.integers(4)
    if kind == 0:
        del data[rng.integers(1, len(data)) :]
    elif kind == 1:
        start = rng.integers(len(data))
        data[start:start] = data[: rng.integers(1, 40)]
    else:
        reach = len(data) if kind == 2 else min(len(data), 300)  # headers decide
        for place in rng.integers(0, reach, rng.integers(1, 9)):
            data[place] = rng.integers(256)
    return bytes(data)


@pytest.mark.parametrize(
    "name",
    [
        "odd_37x23.jpg", "orientation_6.jpg", "exif_thumbnail.jpg", "gray_2bit.png", "interlaced.png",
        "palette_unused_transparent.png", "gray_alpha_opaque.png", "gamma_icc_exif.png", "palette_4bit.bmp",
        "rgb_32bit.bmp", "two_pictures.jpg", "progressive.jpg",
    ],
)  # fmt: skip
def test_hostile_bytes_give_a_tensor_or_a_refusal(name):
    original = (PICTURES / name).read_bytes()
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    outcomes, refusals = set(), []
    for _ in range(120):
        data = mutated(original, rng)
        if name.endswith("png"):
            data = with_right_checksums(data)
        try:
            tensor = crop(16, 16).to_tensor(data, name=name)
        except PictureError as error:
            outcomes.add(error.reason)
            refusals.append(str(error))
        else:
            assert (tensor.shape, tensor.dtype) == ((16, 16, 3), np.uint8)
            outcomes.add("tensor")
    assert "damaged" in outcomes
    assert all(refusal.startswith(f"{name}: ") for refusal in refusals)


def png(header, *chunks):
    """A PNG of an IHDR and these chunks, with their checksums."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", *header)), *chunks, (b"IEND", b"")]
    framed = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


@pytest.mark.parametrize(("rows", "is_taken"), [(7, True), (6, False), (0, False)])
def test_a_png_with_fewer_rows_than_it_says_is_damaged_and_not_filled_up(rows, is_taken):
    pixels = zlib.compress(b"".join(b"\0" + bytes([10 * row] * 15) for row in range(rows)))
    data = png((5, 7, 8, 2, 0, 0, 0), (b"IDAT", pixels[:9]), (b"IDAT", pixels[9:]))
    if is_taken:
        assert np.array_equal(np.asarray(read_picture(data))[:, 0, 0], 10 * np.arange(7))
    else:
        with pytest.raises(PictureError, match="fewer rows") as caught:
            read_picture(data)
        assert caught.value.reason == "damaged"


PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # of Adam7


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (3, 3), (8, 9), (13, 6), (37, 23)])
@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1"])
def test_interlaced_pngs_of_all_sizes_have_the_rows_that_adam7_gives_them(size, mode):
    """Rows counted by hand: each pass has those of the pixels that it shows."""
    width, height = size
    samples, bits, colour = {"L": (1, 8, 0), "RGB": (3, 8, 2), "P": (1, 4, 3), "1": (1, 1, 0)}[mode]
    raw = b""
    for left, top, across, down in PASSES:
        columns, rows = len(range(left, width, across)), len(range(top, height, down))
        if columns:
            raw += rows * bytes(1 + -(-columns * samples * bits // 8))
    palette = [(b"PLTE", bytes(48))] if mode == "P" else []
    header = (width, height, bits, colour, 0, 0, 1)
    assert read_picture(png(header, *palette, (b"IDAT", zlib.compress(raw)))).size == size
    with pytest.raises(PictureError, match="fewer rows"):
        read_picture(png(header, *palette, (b"IDAT", zlib.compress(raw[:-1]))))


def test_of_two_palettes_the_first_counts():
    palettes = [(b"PLTE", bytes([level] * 6)) for level in (200, 30)]
    data = png((1, 1, 8, 3, 0, 0, 0), *palettes, (b"IDAT", zlib.compress(b"\0\1")))
    assert np.asarray(read_picture(data)).tolist() == [[[200, 200, 200]]]
