"""The golden pictures: drawn from a seed, no photograph of anybody, every kind of file that the contract speaks of.

Run through `python tests/golden/make_golden.py --pictures`, and only when a picture is added: another JPEG encoder
writes other bytes, so the committed files are the truth and this says how they came to be.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageCms

P3_DESCRIPTION = "Display P3 (golden)"


def scene(width: int, height: int, *, seed: int, noise: float = 12.0) -> Image.Image:
    """Skin, a lesion with a net, hairs and grain; no symmetry, so that a flip or a swapped channel shows."""
    rng = np.random.default_rng(seed)
    u, v = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    skin = np.stack([196 + 40 * u - 14 * v, 150 - 36 * v + 16 * u, 122 + 30 * (u - v)], axis=-1)
    angle, radius = np.arctan2(v - 0.55, u - 0.42), np.hypot((u - 0.42) * 1.2, v - 0.55)
    lesion = 1 / (1 + np.exp(np.clip((radius - 0.27 - 0.05 * np.sin(5 * angle + 1)) * 60, -50, 50)))
    net = 16 * np.sin(2 * np.pi * (37 * u + 9 * v)) * np.sin(2 * np.pi * (31 * v - 5 * u))
    dark = np.stack([104 + net, 62 + net, 44 + 0.5 * net], axis=-1)
    picture = skin + lesion[..., None] * (dark - skin)
    for _ in range(6):
        start, slope, bend, phase = rng.uniform([0, -0.6, 0.02, 0], [1, 0.6, 0.08, 6])
        distance = np.abs(v - start - slope * (u - 0.5) - bend * np.sin(7 * u + phase))
        picture -= (70 * np.exp(-((distance * 260) ** 2)))[..., None] * [1.0, 0.9, 0.8]
    picture += noise * rng.standard_normal((height, width, 1)) + noise / 2 * rng.standard_normal((height, width, 3))
    return Image.fromarray(np.clip(np.rint(picture), 0, 255).astype(np.uint8))


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def jpeg(image: Image.Image, *segments: bytes, quality: int = 88, sampling: str = "4:2:0", **options: object) -> bytes:
    """A JPEG with these segments right after SOI."""
    data = saved(image, "JPEG", quality=quality, subsampling=sampling, optimize=True, **options)
    return data[:2] + b"".join(segments) + data[2:]


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def exif(orientation: int, *, order: str = ">", kind: int = 3, rest: bytes = b"") -> bytes:
    """An APP1 segment whose EXIF holds one entry: the orientation as SHORT (3) or LONG (4)."""
    magic = b"MM\0*" if order == ">" else b"II*\0"
    value = struct.pack(order + ("HH" if kind == 3 else "I"), *([orientation, 0] if kind == 3 else [orientation]))
    tiff = magic + struct.pack(order + "IHHHI", 8, 1, 0x0112, kind, 1) + value + struct.pack(order + "I", 0)
    return segment(0xE1, b"Exif\0\0" + tiff + rest)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(
    size: tuple[int, int], bits: int, colour: int, rows: Sequence[bytes], *chunks: bytes, interlaced: bool = False
) -> bytes:
    """A PNG from packed rows (no filter), with these chunks before the pixels."""
    header = struct.pack(">IIBBBBB", *size, bits, colour, 0, 0, interlaced)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    parts = [chunk(b"IHDR", header), *chunks, chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def packed(values: np.ndarray, bits: int) -> list[bytes]:
    """Rows of small integers, the first pixel in the highest bits."""
    planes = (values[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return [row.tobytes() for row in np.packbits(planes.reshape(len(values), -1).astype(np.uint8), axis=1)]


def interlaced_rows(image: Image.Image) -> list[bytes]:
    """The seven passes of Adam7."""
    pixels = np.asarray(image)
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    return [row.tobytes() for y, x, dy, dx in passes for row in pixels[y::dy, x::dx] if row.size]


def bmp(
    size: tuple[int, int], bits: int, rows: Sequence[bytes], *, palette: bytes = b"", top_down: bool = False
) -> bytes:
    """An uncompressed BMP from packed rows, given from the top."""
    padded = [row + bytes(-len(row) % 4) for row in rows]
    pixels = b"".join(padded if top_down else padded[::-1])
    offset, height = 54 + len(palette), -size[1] if top_down else size[1]
    info = struct.pack("<IiiHHIIiiII", 40, size[0], height, 1, bits, 0, len(pixels), 2835, 2835, len(palette) // 4, 0)
    return struct.pack("<2sIII", b"BM", offset + len(pixels), 0, offset) + info + palette + pixels


def wide_gamut_profile() -> bytes:
    """The sRGB profile with the primaries of Display P3 and its name: what phones embed."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    primaries = {
        b"rXYZ": (0.51512, 0.2412, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.1571, 0.06657, 0.78407),
    }
    description = P3_DESCRIPTION.encode("utf-16-be")
    for entry in range(struct.unpack_from(">I", profile, 128)[0]):
        tag, offset, _ = struct.unpack_from(">4sII", profile, 132 + 12 * entry)
        if tag in primaries:
            struct.pack_into(">iii", profile, offset + 8, *(round(value * 65536) for value in primaries[tag]))
        if tag == b"desc":
            text = struct.pack(">4sIII2s2sII", b"mluc", 0, 1, 12, b"en", b"US", len(description), 28) + description
            struct.pack_into(">II", profile, 136 + 12 * entry, len(profile), len(text))
            profile += text
    struct.pack_into(">I", profile, 0, len(profile))
    profile[24:36] = struct.pack(">6H", 2024, 1, 1, 0, 0, 0)  # the clock stays out of a golden file
    profile[84:100] = bytes(16)  # as does the hash over it
    return bytes(profile)


def patched_frame(data: bytes, *, marker: int = 0xC0, bits: int = 8, size: tuple[int, int] | None = None) -> bytes:
    """A JPEG with another frame header: what a decoder must not be given."""
    place = data.index(b"\xff\xc0\0")
    width, height = size or struct.unpack_from(">HH", data, place + 5)[::-1]
    return data[:place] + struct.pack(">BBHBHH", 0xFF, marker, 17, bits, height, width) + data[place + 9 :]


def jpegs() -> Iterator[tuple[str, bytes]]:
    yield "big_12mp.jpg", jpeg(scene(4000, 3000, seed=1, noise=2.0), quality=60)
    yield "one.jpg", jpeg(scene(1, 1, seed=2), sampling="4:4:4")
    yield "odd_37x23.jpg", jpeg(scene(37, 23, seed=3), sampling="4:4:4")
    middle = scene(301, 203, seed=4)
    for sampling in ("4:4:4", "4:2:2", "4:2:0"):
        yield f"sampling_{sampling.replace(':', '')}.jpg", jpeg(middle, sampling=sampling)
    yield "progressive.jpg", jpeg(middle, sampling="4:2:2", progressive=True)
    yield "restarts.jpg", jpeg(middle, restart_marker_blocks=7)
    yield "gray.jpg", saved(middle.convert("L"), "JPEG", quality=88)
    yield "rgb_coded.jpg", saved(middle, "JPEG", quality=88, subsampling="4:4:4", keep_rgb=True)
    yield "icc_p3.jpg", jpeg(middle, icc_profile=wide_gamut_profile())
    yield "two_pictures.jpg", saved(middle, "MPO", save_all=True, append_images=[scene(80, 60, seed=5)], quality=88)
    for side in (126, 127, 128, 252, 253):
        yield f"edge_{side}.jpg", jpeg(scene(side, side, seed=side))
    yield "strip_3000x7.jpg", jpeg(scene(3000, 7, seed=6))
    yield "strip_7x3000.jpg", jpeg(scene(7, 3000, seed=7))


def oriented_jpegs() -> Iterator[tuple[str, bytes]]:
    small, large = scene(64, 48, seed=8), jpeg(scene(1800, 1350, seed=9, noise=3.0), quality=35)
    for value in range(1, 9):
        yield f"orientation_{value}.jpg", jpeg(small, exif(value, order="<>"[value % 2]))
        yield f"orientation_{value}_large.jpg", large[:2] + exif(value) + large[2:]
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    odd = {
        "orientation_9": exif(9),
        "orientation_0": exif(0),
        "orientation_long": exif(6, kind=4),
        "orientation_xmp": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp),
        "orientation_twice": exif(6) + exif(3),
        "exif_broken": segment(0xE1, b"Exif\0\0MM\0*\0\0\xff\xff\0\1"),
        "exif_thumbnail": exif(8, rest=jpeg(scene(16, 12, seed=10))),
    }
    for name, block in odd.items():
        yield f"{name}.jpg", jpeg(small, block)


def pngs() -> Iterator[tuple[str, bytes]]:
    small = scene(37, 23, seed=11)
    gray = np.asarray(small.convert("L"))
    rgb_rows = [row.tobytes() for row in np.asarray(small)]
    yield "one.png", saved(scene(1, 1, seed=12), "PNG")
    yield "tiny_5x3.png", saved(scene(5, 3, seed=13), "PNG")
    yield "odd_37x23.png", saved(small, "PNG")
    yield "tall_26x78.png", saved(scene(26, 78, seed=17, noise=40), "PNG")
    yield "interlaced.png", png(small.size, 8, 2, interlaced_rows(small), interlaced=True)
    yield "gamma_icc_exif.png", png(
        small.size, 8, 2, rgb_rows,
        chunk(b"gAMA", struct.pack(">I", 100000)),
        chunk(b"iCCP", b"linear\0\0" + zlib.compress(wide_gamut_profile())),
        chunk(b"eXIf", exif(6)[10:]),
    )  # fmt: skip
    yield "unused_transparent_colour.png", png(small.size, 8, 2, rgb_rows, chunk(b"tRNS", bytes(6)))
    for bits in (1, 2, 4, 8):
        yield f"gray_{bits}bit.png", png(small.size, bits, 0, packed(gray >> (8 - bits), bits))
    indices = np.asarray(small.quantize(14)).astype(np.uint8)
    colours = bytes(np.random.default_rng(14).integers(0, 256, 45, dtype=np.uint8))  # 15: one is unused
    for bits in (4, 8):
        yield f"palette_{bits}bit.png", png(small.size, bits, 3, packed(indices, bits), chunk(b"PLTE", colours))
    opaque_but_unused = chunk(b"tRNS", bytes([255] * 14 + [0]))
    yield (
        "palette_unused_transparent.png",
        png(small.size, 8, 3, packed(indices, 8), chunk(b"PLTE", colours), opaque_but_unused),
    )
    yield "rgba_opaque.png", saved(small.convert("RGBA"), "PNG")
    yield "gray_alpha_opaque.png", saved(small.convert("LA"), "PNG")
    yield (
        "middle_640x480.png",
        saved(scene(640, 480, seed=15, noise=0).quantize(64).convert("RGB"), "PNG", optimize=True),
    )


def bmps() -> Iterator[tuple[str, bytes]]:
    small = scene(37, 23, seed=11)
    bgr = np.asarray(small)[..., ::-1]
    spare = np.zeros((23, 37, 1), np.uint8)
    yield "rgb_24bit.bmp", bmp(small.size, 24, [row.tobytes() for row in bgr])
    yield "rgb_24bit_top_down.bmp", bmp(small.size, 24, [row.tobytes() for row in bgr], top_down=True)
    yield "rgb_32bit.bmp", bmp(small.size, 32, [row.tobytes() for row in np.concatenate([bgr, spare], axis=2)])
    gray = np.asarray(small.convert("L"))
    palette = np.random.default_rng(16).integers(0, 256, (256, 4), dtype=np.uint8)
    for bits in (1, 4, 8):
        rows = packed(gray >> (8 - bits), bits)
        yield f"palette_{bits}bit.bmp", bmp(small.size, bits, rows, palette=palette[: 1 << bits].tobytes())


def refused() -> Iterator[tuple[str, bytes]]:
    small = scene(37, 23, seed=11)
    good_jpeg, good_png = jpeg(small), saved(small, "PNG")
    gray = np.asarray(small.convert("L"))
    yield "refused_cmyk.jpg", saved(small.convert("CMYK"), "JPEG")
    yield "refused_12bit.jpg", patched_frame(good_jpeg, marker=0xC1, bits=12)
    yield "refused_arithmetic.jpg", patched_frame(good_jpeg, marker=0xC9)
    yield "refused_lossless.jpg", patched_frame(good_jpeg, marker=0xC3)
    yield "refused_huge.jpg", patched_frame(good_jpeg, size=(16000, 8001))
    yield "refused_too_wide.jpg", patched_frame(good_jpeg, size=(65501, 8))
    yield "refused_cut.jpg", good_jpeg[: len(good_jpeg) // 2]
    yield "refused_cut_in_header.jpg", good_jpeg[:100]
    yield "refused_gray16.png", png(small.size, 16, 0, [row.astype(">u2").tobytes() for row in gray])
    yield "refused_rgb16.png", png(small.size, 16, 2, [row.astype(">u2").tobytes() for row in np.asarray(small)])
    see_through = small.convert("RGBA")
    see_through.putpixel((20, 11), (*small.getpixel((20, 11)), 254))
    yield "refused_alpha.png", saved(see_through, "PNG")
    yield "refused_gray_alpha.png", saved(see_through.convert("LA"), "PNG")
    colour = bytes([0, int(gray[11, 20])])
    yield "refused_transparent_gray.png", png(small.size, 8, 0, packed(gray, 8), chunk(b"tRNS", colour))
    yield "refused_transparent_gray_2bit.png", png(small.size, 2, 0, packed(gray >> 6, 2), chunk(b"tRNS", b"\0\2"))
    pixel = b"".join(bytes([0, value]) for value in small.getpixel((20, 11)))
    yield (
        "refused_transparent_colour.png",
        png(small.size, 8, 2, [row.tobytes() for row in np.asarray(small)], chunk(b"tRNS", pixel)),
    )
    grays = bytes(value for gray_value in range(16) for value in [gray_value * 17] * 3)
    yield "refused_transparent_palette.png", png(
        small.size, 4, 3, packed(gray >> 4, 4), chunk(b"PLTE", grays), chunk(b"tRNS", bytes([255] * 8 + [7]))
    )  # fmt: skip
    yield "refused_palette_too_short.png", png(small.size, 4, 3, packed(gray >> 4, 4), chunk(b"PLTE", grays[:24]))
    yield "refused_animated.png", good_png[:33] + chunk(b"acTL", struct.pack(">II", 1, 0)) + good_png[33:]
    yield "refused_huge.png", png((20000, 20000), 8, 2, [b""])
    yield "refused_cut.png", good_png[:-20]
    yield "refused_bad_checksum.png", good_png[:60] + bytes([good_png[60] ^ 1]) + good_png[61:]
    last_different = [np.concatenate([row, np.full((37, 1), 255, np.uint8)], axis=1) for row in np.asarray(small)]
    last_different[7][3, 3] = 0
    yield "refused_alpha.bmp", bmp(small.size, 32, [row.tobytes() for row in last_different])
    yield "refused_16bit.bmp", bmp(small.size, 16, [bytes(74)] * 23)
    yield "refused_cut.bmp", bmp(small.size, 24, [row.tobytes() for row in np.asarray(small)])[:-1]
    yield "refused_picture.gif", saved(small, "GIF")
    yield "refused_picture.tif", saved(small, "TIFF", compression="tiff_deflate")
    yield "refused_picture.webp", saved(small, "WEBP", quality=50)
    yield "refused_picture.heic", struct.pack(">I4s4sI4s", 20, b"ftyp", b"heic", 0, b"mif1") + bytes(32)
    yield "refused_page.jpg", b"<!DOCTYPE html><html><body>404 not found</body></html>\n"
    yield "refused_text.png", b"this is not a picture\n"
    yield "refused_empty.jpg", b""


def pictures() -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every golden picture."""
    for group in (jpegs, oriented_jpegs, pngs, bmps, refused):
        yield from group()
