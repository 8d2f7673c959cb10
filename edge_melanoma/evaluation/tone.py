"""The tone of the skin around a lesion, estimated from what the model sees, where the index tells none.

The rule: the tensor without its padding, reduced by whole numbers to at most 128 pixels a side, then `ita_deg` of
data/eda/image_stats.py: the median of ITA = atan2(L* − 50, b*) over patches along the border, inside a rim of 4 %,
without what is black (dark corners) or below Otsu's threshold (lesion, dark hair); what hair is left loses to the
medians. An angle beyond 90° is bluer than any skin: the light has made it so, and it tells no tone.

The angle is one of the picture, not of the patient. The light of the dermatoscope, its fall-off to the border, white
balance and gel are in it; tests/test_tone.py has the error on drawn pictures, whose true angle is known.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from edge_melanoma.data.eda.image_stats import ita_deg, to_lab, tone_of
from edge_melanoma.preprocess import PreprocessContract

COLUMN = "ita_estimated"  # of a prediction table, degrees; null where too little skin is seen
REMARK = (
    "skin tone is estimated from the pictures, because the index tells none: it is that of the picture, not of the "
    "patient; white balance, exposure and gel move it by a class and more"
)
MOST_DEG = 90.0
_SIDE = 128

Pixels = NDArray[np.uint8]


def with_estimated_tone(
    predictions: pl.DataFrame, tensors: Iterable[Pixels], contract: PreprocessContract
) -> pl.DataFrame:
    """The prediction table with the estimated angle of each picture's skin; the tensors are in the rows' order."""
    angles = [estimated_ita(tensor, contract) for tensor in tensors]
    return predictions.with_columns(pl.Series(COLUMN, angles, dtype=pl.Float64, nan_to_null=True))


def estimated_ita(tensor: Pixels, contract: PreprocessContract) -> float:
    """The angle of the skin in a tensor [H, W, 3], in degrees; NaN where too little skin is seen."""
    picture = _without_padding(tensor, contract) if contract.geometry == "pad" else tensor
    times = max(1, -(-max(picture.shape[:2]) // _SIDE))
    small = Image.fromarray(picture).reduce(times)
    return ita_deg(to_lab(np.asarray(small)), np.asarray(small.convert("L"), np.float32))


def estimated_tones(table: pl.DataFrame) -> pl.Series:
    """The name of each row's estimated tone; null where none was estimated, or where it cannot be skin's."""
    if COLUMN not in table.columns:
        return pl.Series("tone", [None] * table.height, dtype=pl.String)
    angles = table[COLUMN].cast(pl.Float64).to_numpy()
    return pl.Series("tone", tone_of(np.where(np.abs(angles) > MOST_DEG, np.nan, angles)), dtype=pl.String)


def _without_padding(tensor: Pixels, contract: PreprocessContract) -> Pixels:
    """Without the rows and columns at the border that are all of the padding's colour."""
    inside = (tensor != np.array(contract.pad_rgb, np.uint8)).any(axis=2)
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return tensor
    return tensor[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
