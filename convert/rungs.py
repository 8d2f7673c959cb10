"""The ways to make an integer model, from the cheapest on: what each rung of the ladder does to the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.errors import RecipeError
from edge_melanoma.parity.gate import counted

from .equalise import equalise
from .export import to_tflite
from .fitted_rounding import round_weights
from .fold import fold_batch_norm
from .graph import Model
from .layer_error import layer_errors
from .material import CALIBRATION, Material
from .normalisation import fold_normalisation
from .output_range import choose_range, with_output_range
from .quantise import calibrate_ranges, quantise_aware, to_tflite_qat
from .recipe import ConvertRecipe, Rung
from .tune import tune

Pixels = NDArray[np.uint8]

FLOAT_LAYERS = (1, 2, 4, 8)  # how many of the worst layers stay float, tried in turn
RANGE_BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Made:
    """A model as a rung made it."""

    model: bytes
    float_layers: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """What every rung is given: the network to convert, pictures, and whom to tell how it goes."""

    material: Material
    network: Model  # float; pruned, if that was asked for
    pictures: Pixels  # of the training part, to calibrate on
    recipe: ConvertRecipe
    on_progress: Callable[[str, int, int], None]

    def fitted(self, network: Model) -> Model:
        """A network with its channels evened out and its weights rounded by the pictures, which would undo clusters."""
        network = fold_batch_norm(network)
        if self.recipe.cluster is not None:
            return network
        equalise(network, self.pictures)
        round_weights(
            network, self.pictures, on_layer=lambda done, of: self.on_progress("rounding weights, layer", done, of)
        )
        return network

    def with_chosen_range(self, model: bytes) -> bytes:
        """The model with the values of its output laid around the thresholds."""
        material = self.material
        return with_output_range(model, *choose_range(material.reference_of_turns(CALIBRATION), material.rule_before()))


def post_training(workshop: Workshop) -> Iterator[Made]:
    """Ranges from the calibration pictures, every weight to its nearest level."""
    yield Made(model=to_tflite(workshop.network, "int8", calibration=workshop.pictures))


def calibrated_rounding(workshop: Workshop) -> Iterator[Made]:
    """The same on the same pictures, with weights rounded so that the layers' outputs on them stay what they were."""
    model = to_tflite(workshop.fitted(fold_normalisation(workshop.network)), "int8", calibration=workshop.pictures)
    yield Made(model=workshop.with_chosen_range(model))


def mixed_precision(workshop: Workshop) -> Iterator[Made]:
    """The worst layers in float, more and more of them: larger, slower, and not for engines of integers only."""
    network = workshop.fitted(fold_normalisation(workshop.network))
    model = to_tflite(network, "int8", calibration=workshop.pictures)
    errors = layer_errors(network, model, workshop.pictures)
    worst = sorted(errors, key=lambda error: -error.added)
    for count in FLOAT_LAYERS:
        kept = tuple(error.layer for error in worst[:count])
        if len(kept) == count:
            converted = to_tflite(network, "int8", calibration=workshop.pictures, float_layers=kept)
            converted = workshop.with_chosen_range(converted)
            yield Made(
                model=converted, float_layers=kept, remarks=(f"{counted(count, 'layer')} in float: {', '.join(kept)}",)
            )


def quantisation_aware(workshop: Workshop) -> Iterator[Made]:
    """Trained on with the rounding in the network, taught by the float model, from the best rounding on."""
    recipe, pictures = workshop.recipe, workshop.pictures
    network = quantise_aware(
        workshop.fitted(workshop.network),
        keep_sparsity=recipe.prune is not None,
        keep_clusters=recipe.cluster is not None,
    )
    calibrate_ranges(network, [pictures[i : i + RANGE_BATCH] for i in range(0, len(pictures), RANGE_BATCH)])
    epochs = tune(
        network,
        workshop.material,
        recipe.tune,
        seed=recipe.seed,
        on_step=lambda epoch, step, of, *_: workshop.on_progress(f"training, epoch {epoch + 1}, step", step, of),
    )
    best = min(epochs, key=lambda epoch: epoch.distance)
    which = (
        f"epoch {best.epoch} of {recipe.tune.epochs} is kept" if best.epoch else "no epoch came nearer than the start"
    )
    kept = f"{which}: log-odds {best.distance:.3f} from the float model's on average"
    yield Made(model=workshop.with_chosen_range(to_tflite_qat(network)), remarks=(kept,))


MAKERS: dict[Rung, Callable[[Workshop], Iterator[Made]]] = {
    "post-training": post_training,
    "calibrated rounding": calibrated_rounding,
    "mixed precision": mixed_precision,
    "quantisation-aware": quantisation_aware,
}


def maker_of(rung: str) -> Callable[[Workshop], Iterator[Made]]:
    """What a rung does."""
    if rung not in MAKERS:
        raise RecipeError(f"rung {rung!r} is unknown; known: {', '.join(MAKERS)}")
    return MAKERS[rung]
