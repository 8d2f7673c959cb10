"""What the network will be shown: some training pictures, each as it is and as six epochs augment it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from edge_melanoma.fitting.augment import Augmenter
from edge_melanoma.notice import SYNTHETIC_BANNER
from edge_melanoma.output import write_file

from .recipe import TrainRecipe

SIDE, MARGIN = 112, 4  # pixels of a picture on the sheet
EPOCHS = 6
MOST_ROWS = 8


def draw_preview(
    path: Path,
    tensors: NDArray[np.uint8],
    labels: NDArray[np.int64],
    recipe: TrainRecipe,
    *,
    synthetic: bool,
) -> None:
    """Write the sheet: pictures of every class in turn, chosen by the seed."""
    classes = recipe.task.task().classes
    augmenter = Augmenter(recipe.augment, seed=recipe.seed)
    rng = np.random.default_rng([recipe.seed, 6])
    per_class = max(1, MOST_ROWS // len(classes))
    rows = [
        (name, int(row))
        for label, name in enumerate(classes)
        for row in rng.permutation(np.flatnonzero(labels == label))[:per_class]
    ]
    step, top = SIDE + MARGIN, 20
    sheet = Image.new("RGB", (90 + step * (EPOCHS + 1), top + step * len(rows)), "white")
    pen = ImageDraw.Draw(sheet)
    head = f"augmentation: {recipe.augment}" + (f"   {SYNTHETIC_BANNER}" if synthetic else "")
    pen.text((MARGIN, MARGIN), head.replace("—", "-"), fill=(140, 60, 0) if synthetic else (0, 0, 0))
    for number, (name, row) in enumerate(rows):
        pen.text((MARGIN, top + number * step + SIDE // 2), name, fill=(0, 0, 0))
        shown = [np.array(tensors[row])]
        shown += [augmenter(shown[0], epoch=epoch, place=number, row=row) for epoch in range(EPOCHS)]
        for column, picture in enumerate(shown):
            small = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
            sheet.paste(small, (90 + column * step, top + number * step))
    stream = io.BytesIO()
    sheet.save(stream, "PNG")
    write_file(path, stream.getvalue())
