"""The golden vectors: pictures with the tensor that the contract makes of them, for every language that implements it.

    python tests/golden/make_golden.py            rewrite golden.json and tensors/ from the committed pictures
    python tests/golden/make_golden.py --check    say what would change, and end with 1 if anything would
    python tests/golden/make_golden.py --pictures draw the pictures anew first (see draw_pictures.py)

A changed expectation is a changed contract: raise CONTRACT_VERSION rather than commit one. README.md is the contract.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edge_melanoma.picture import PictureError, decode, open_picture
from edge_melanoma.preprocess import CONTRACT_VERSION, GeometryName, PreprocessContract

HERE = Path(__file__).parent
PICTURES = HERE / "pictures"
LARGEST_STORED_TENSOR = 32 * 32 * 3
GEOMETRIES: tuple[GeometryName, ...] = ("crop", "pad", "squash")

Request = tuple[str, PreprocessContract, str]


def contract(width: int, height: int, geometry: GeometryName = "crop", **options: Any) -> PreprocessContract:
    return PreprocessContract(width=width, height=height, geometry=geometry, **options)


def requests() -> Iterator[Request]:
    """Which picture by which contract, and what the vector is there for."""
    yield "big_12mp.jpg", contract(224, 224), "12 megapixels, the usual tensor: 1/4"
    yield "big_12mp.jpg", contract(32, 32), "12 megapixels at 1/8, then still 12 times smaller"
    yield "big_12mp.jpg", contract(160, 120, "squash"), "12 megapixels at 1/8, squashed"
    yield "big_12mp.jpg", contract(300, 400, "pad", pad_rgb=(255, 0, 128)), "12 megapixels with a border: 1/4"
    yield "big_12mp.jpg", contract(600, 600), "12 megapixels at 1/2"
    yield "big_12mp.jpg", contract(1024, 1024), "12 megapixels at full size"
    for geometry in GEOMETRIES:
        yield "one.jpg", contract(3, 2, geometry), "one pixel becomes six, or fewer and a border"
        yield "one.png", contract(1, 1, geometry), "nothing to do"
        yield "tiny_5x3.png", contract(32, 32, geometry), "enlarged"
        for size in ((32, 32), (32, 20), (12, 32), (1, 1), (7, 5)):
            yield "odd_37x23.png", contract(*size, geometry), "odd sizes, several shapes of tensor"
        yield "middle_640x480.png", contract(96, 96, geometry), "a PNG is never reduced while decoding"
        for picture in ("strip_3000x7.jpg", "strip_7x3000.jpg"):
            yield picture, contract(32, 32, geometry), "extreme shape"
        yield "orientation_6_large.jpg", contract(160, 224, geometry), "sides swap before the geometry"
    yield "middle_640x480.png", contract(640, 480), "the same size: the resize changes nothing"
    yield "middle_640x480.png", contract(640, 479), "one pixel less: only the vertical pass works"
    yield "odd_37x23.jpg", contract(74, 46), "enlarged twice"
    yield "tall_26x78.png", contract(2, 7, "squash"), "the horizontal pass comes first, whatever Pillow prefers"
    yield "tall_26x78.png", contract(20, 1, "squash"), "the same, in a single row"
    yield from jpeg_requests()
    yield from orientation_requests()
    for group, note in (("*.png", "PNG: "), ("*.bmp", "BMP: ")):
        for path in sorted(PICTURES.glob(group)):
            if not path.name.startswith(("refused", "one", "tiny", "middle", "tall")):
                yield path.name, contract(20, 20), note + path.stem.replace("_", " ")


def jpeg_requests() -> Iterator[Request]:
    for name in ("sampling_444", "sampling_422", "sampling_420", "progressive", "restarts", "gray", "rgb_coded"):
        for side, reduction in ((128, 1), (50, 2), (24, 4), (12, 8)):
            yield f"{name}.jpg", contract(side, side), f"{name.replace('_', ' ')} at 1/{reduction}"
    for side in (128, 24):
        yield "icc_p3.jpg", contract(side, side), "a profile is not applied: the values of sampling_420.jpg"
        yield "two_pictures.jpg", contract(side, side), "MPO: the first picture"
    for side, below in ((128, 126), (253, 252)):
        yield f"edge_{side}.jpg", contract(32, 32), "the smallest side that is still reduced, or one above"
        yield f"edge_{below}.jpg", contract(32, 32), "one reduction less than its neighbours"
    yield "edge_127.jpg", contract(32, 32), "127 / 2 rounds up to 64, which is twice 32"
    yield "edge_253.jpg", contract(32, 31, "pad"), "the rule looks at the fitted size, 31x31"


def orientation_requests() -> Iterator[Request]:
    for value in range(1, 9):
        yield f"orientation_{value}.jpg", contract(32, 24, "squash"), f"orientation {value}"
        yield f"orientation_{value}_large.jpg", contract(224, 224), f"orientation {value} at 1/2"
        yield f"orientation_{value}_large.jpg", contract(30, 32), f"orientation {value} at 1/8, an odd rest"
    for name, note in (
        ("orientation_9", "9 is none"),
        ("orientation_0", "0 is none"),
        ("orientation_long", "a LONG counts too: 6"),
        ("orientation_xmp", "XMP does not count"),
        ("orientation_twice", "of two EXIF blocks the first counts: 6"),
        ("exif_broken", "a broken EXIF says nothing"),
        ("exif_thumbnail", "8; the thumbnail inside EXIF is not the picture"),
    ):
        yield f"{name}.jpg", contract(32, 24, "squash"), note


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def vector(request: Request) -> tuple[dict[str, Any], bytes]:
    """One expectation, and its tensor."""
    name, wanted, note = request
    file = open_picture(PICTURES / name, name=name)
    reduction = wanted.reduction(file.facts)
    decoded = decode(file, reduction)
    tensor = wanted.image_to_tensor(decoded)
    colour = "" if wanted.pad_rgb == (0, 0, 0) else "-" + bytes(wanted.pad_rgb).hex()
    stored = f"tensors/{name}-{wanted.width}x{wanted.height}-{wanted.geometry}{colour}.rgb"
    pixels = {"width": decoded.width, "height": decoded.height, "sha256": sha256(np.asarray(decoded).tobytes())}
    expectation = {
        "picture": name,
        "note": note,
        "contract": wanted.to_json(),
        "reduction": reduction,
        "decoded": pixels,
        "shape": list(tensor.shape),
        "sha256": sha256(tensor.tobytes()),
        "tensor": stored if tensor.size <= LARGEST_STORED_TENSOR else None,
    }
    return expectation, tensor.tobytes()


def refusal(path: Path) -> dict[str, str]:
    try:
        decode(open_picture(path, name=path.name))
    except PictureError as error:
        return {"picture": path.name, "refused": error.reason, "note": error.problem}
    raise SystemExit(f"{path.name}: should be refused")


def expected_files() -> dict[str, bytes]:
    """Every generated file by its path below this folder."""
    paths = sorted(path for path in PICTURES.iterdir() if path.is_file())
    made = [vector(request) for request in requests()]
    golden = {
        "contract_version": CONTRACT_VERSION,
        "pictures": {path.name: sha256(path.read_bytes()) for path in paths},
        "vectors": [expectation for expectation, _ in made],
        "refusals": [refusal(path) for path in paths if path.name.startswith("refused")],
    }
    files = {expectation["tensor"]: tensor for expectation, tensor in made if expectation["tensor"]}
    return files | {"golden.json": (json.dumps(golden, indent=1, ensure_ascii=False) + "\n").encode()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--pictures", action="store_true", help="draw the pictures anew first")
    options = parser.parse_args()
    if options.pictures and not options.check:
        from draw_pictures import pictures

        PICTURES.mkdir(exist_ok=True)
        for name, data in pictures():
            (PICTURES / name).write_bytes(data)
    expected = expected_files()
    there = {f"tensors/{path.name}" for path in (HERE / "tensors").glob("*")} | {"golden.json"}
    differing = [name for name in sorted(there | set(expected)) if expected.get(name) != content(HERE / name)]
    if options.check:
        print("\n".join(f"differs: {name}" for name in differing) or f"{len(expected)} files are as expected")
        return bool(differing)
    (HERE / "tensors").mkdir(exist_ok=True)
    for name in differing:
        (HERE / name).write_bytes(expected[name]) if name in expected else (HERE / name).unlink()
    print(f"{len(differing)} of {len(expected)} files changed")
    return 0


def content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main())
