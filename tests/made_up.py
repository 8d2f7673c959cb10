"""An index and predictions whose truth is known: lesions with several pictures, scores from two normal distributions.

The scores of positives and negatives lie `separation` apart, so the AUC is Φ(separation/√2), and the logits are exactly
the log-odds at equal shares of the classes, so the temperature is 1. Pictures of a lesion resemble each other.
"""

from statistics import NormalDist

import numpy as np
import polars as pl

from edge_melanoma.data.index import conform

DIAGNOSES = ("NV", "MEL", "BKL", "BCC", "AKIEC", "VASC", "DF")
SHARES = (0.62, 0.14, 0.11, 0.05, 0.04, 0.02, 0.02)
SPLITS = ("train", "val", "calibration", "test")


def index_table(lesions=800, *, seed=0, shares=SHARES, parts=(0.4, 0.1, 0.2, 0.3), source="ham10000", **columns):
    """One row a picture, one to three a lesion; whole lesions in parts and folds."""
    rng = np.random.default_rng(seed)
    of_lesion = {
        "dx": rng.choice(DIAGNOSES, lesions, p=shares),
        "age": rng.choice([25.0, 40.0, 50.0, 65.0, 80.0], lesions),
        "sex": rng.choice(["female", "male"], lesions),
        "site_group": rng.choice(["trunk", "head/neck", "lower extremity"], lesions),
        "centre": rng.choice(["north", "south"], lesions),
        "split": rng.choice(SPLITS, lesions, p=parts),
        "fold": rng.integers(0, 5, lesions),
    }
    lesion = np.repeat(np.arange(lesions), rng.integers(1, 4, lesions))
    rows = len(lesion)
    table = pl.DataFrame({name: values[lesion] for name, values in of_lesion.items()}).with_columns(
        pl.Series("image_id", [f"P{row:05}" for row in range(rows)]),
        pl.Series("lesion_id", [f"L{number:05}" for number in lesion]),
        pl.Series("sha256", [f"{row:064x}" for row in range(rows)]),
        pl.Series("image_path", [f"{row}.jpg" for row in range(rows)]),
        pl.col("dx").str.to_lowercase().alias("dx_raw"),
        pl.lit(source).alias("source"),
        pl.lit("dermoscopic").alias("modality"),
        (pl.col("dx") == "MEL").cast(pl.Int8).alias("y_mel"),
        pl.when(pl.col("dx") == "NV").then(pl.lit("follow_up")).otherwise(pl.lit("histo")).alias("dx_confirm"),
    )
    return conform(table.with_columns(pl.lit(value).alias(name) for name, value in columns.items()))


def predict(table, task, *, separation=1.8, seed=1, alike=0.5, temperature=1.0):
    """Logits for every picture; with a temperature other than 1 they are that much too extreme."""
    rng = np.random.default_rng(seed)
    answers = np.array([task.answer(dx) for dx in table["dx"]])
    lesion = np.unique(table["lesion_id"].to_numpy(), return_inverse=True)[1]
    size = len(task.classes)
    score = np.sqrt(alike) * rng.normal(size=(lesion.max() + 1, size))[lesion]
    score += np.sqrt(1 - alike) * rng.normal(size=(len(answers), size))
    score[np.arange(len(answers)), answers] += separation
    if size == 2:
        log_odds = separation * score[:, 1] - separation**2 / 2
        logits = np.stack([-log_odds / 2, log_odds / 2], axis=1)
    else:
        logits = separation * score
    logits = logits * temperature
    columns = {f"logit_{name}": logits[:, i] for i, name in enumerate(task.classes)}
    return table.select("image_id", "split", "fold").with_columns(**columns)


def true_auc(separation):
    """What an endless test would show."""
    return NormalDist().cdf(separation / 2**0.5)
