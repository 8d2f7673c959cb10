"""The measures of the golden pictures, for every language that implements the capture gate (CAPTURE.md).

    python tests/golden/make_capture.py            rewrite capture.json from the committed pictures
    python tests/golden/make_capture.py --check    say whether it would change, and end with 1 if it would
    python tests/golden/make_capture.py --pictures draw the lesions of capture/ anew first

A changed measure is a changed gate: raise GATE_VERSION rather than commit one.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from edge_melanoma.capture import CaptureGate, CaptureLimits, measure
from edge_melanoma.picture import decode, open_picture
from edge_melanoma.preprocess import PreprocessContract

HERE = Path(__file__).parent
FILE, DRAWN = HERE / "capture.json", HERE / "capture"
SIDE = 72
CONTRACTS = (
    PreprocessContract(width=48, height=48),
    PreprocessContract(width=64, height=56, geometry="pad", pad_rgb=(255, 255, 255)),
)
GATE = CaptureGate(  # made up: so that every check has pictures on both sides
    limits=CaptureLimits(
        min_width_px=24,
        min_height_px=24,
        max_black_share=0.4,
        min_mean_luma=59.0,
        max_mean_luma=190.0,
        max_clipped_share=0.05,
        max_glare_share=0.02,
        min_sharpness=0.1,
        min_skin_share=0.5,
        min_contrast=0.12,
        min_lesion_share=0.05,
        max_lesion_share=0.6,
        min_centre_share=0.2,
        max_scatter_share=0.1,
    ),
    fitted_on={},
)


def drawn() -> Iterator[tuple[str, Image.Image]]:
    """Lesions, fit and spoiled."""
    from edge_melanoma.data.synth import SynthRecipe
    from edge_melanoma.data.synth.dataset import picture_of
    from edge_melanoma.data.synth.latents import case_of

    recipe = SynthRecipe(lesions=30, size=SIDE, nuisance=0.5)
    plain = Image.fromarray(picture_of(recipe, case_of(recipe, 4), 0))
    yield "lesion", plain
    for artefact in ("hair", "ink", "bubble", "ruler"):
        yield artefact, Image.fromarray(picture_of(recipe, case_of(recipe, 4), 0, toggle=artefact))
    yield "blurred", plain.filter(ImageFilter.GaussianBlur(3))
    for name, gain in (("dark", 0.3), ("bright", 2.0), ("white", 3.0)):
        yield name, ImageEnhance.Brightness(plain).enhance(gain)
    yield "grey", plain.convert("L").convert("RGB")
    yield "off_centre", Image.fromarray(np.roll(np.asarray(plain), (SIDE // 2, SIDE // 2), axis=(0, 1)))
    for name, share in (("round", 0.45), ("keyhole", 0.3)):
        y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
        outside = np.hypot(x, y) > share * SIDE
        yield name, Image.fromarray(np.where(outside[..., None], 4, np.asarray(plain)).astype(np.uint8))
    page = Image.new("RGB", (SIDE, SIDE), (225, 205, 180))
    for row in range(3, SIDE, 9):
        ImageDraw.Draw(page).line([(3, row), (SIDE, row)], fill=(70, 60, 50), width=4)
    yield "lines", page


def vector(path: Path, contract: PreprocessContract) -> dict[str, Any]:
    """One expectation."""
    file = open_picture(path, name=path.name)
    tensor = contract.image_to_tensor(decode(file, contract.reduction(file.facts)))
    measures = measure(tensor, contract, file.facts.upright_size)
    return {
        "picture": path.relative_to(HERE).as_posix(),
        "contract": contract.to_json(),
        "upright_size": list(file.facts.upright_size),
        "measures": dataclasses.asdict(measures),
        "codes": [reason.code for reason in GATE.reasons(measures)],
    }


def expected() -> bytes:
    """The whole file."""
    asked = json.loads((HERE / "golden.json").read_text(encoding="utf-8"))["vectors"]
    pairs = [(HERE / "pictures" / one["picture"], PreprocessContract.from_json(one["contract"])) for one in asked]
    pairs += [(path, contract) for path in sorted(DRAWN.glob("*.png")) for contract in CONTRACTS]
    content = {"gate": GATE.to_json(), "vectors": [vector(*pair) for pair in pairs]}
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--pictures", action="store_true", help="draw the lesions anew first")
    options = parser.parse_args()
    if options.pictures and not options.check:
        DRAWN.mkdir(exist_ok=True)
        for name, picture in drawn():
            picture.save(DRAWN / f"{name}.png", optimize=True)
    content = expected()
    same = FILE.is_file() and FILE.read_bytes() == content
    if options.check:
        print(f"{FILE.name} is as expected" if same else f"differs: {FILE.name}")
        return int(not same)
    FILE.write_bytes(content)
    print(f"{FILE.name}: {'unchanged' if same else 'rewritten'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
