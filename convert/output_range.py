"""The 256 values of an 8-bit output, laid where the decisions are made.

A converter spreads them over every logit that it has seen. But a picture whose nevus logit is 14 is as clearly no
melanoma at 9, while one level at the threshold is worth a per cent of probability. So the ends of the range are chosen
for the smallest change of the log-odds near the thresholds, on the float model's logits of the calibration part; what
lies outside is cut off. The scale of an output is a number beside the model, so nothing else changes.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from edge_melanoma.decision import DecisionRule, logit

from .metadata import generated_schema, repacked

CUT = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # per cent of the logits at either end
NEAR = 2.0  # log-odds around a threshold
BEYOND = 3.0  # log-odds that scores must still reach beyond the thresholds, if they did
_MAKES_LOGITS = ("FULLY_CONNECTED", "CONV_2D")


def choose_range(logits: NDArray[np.float32], rule: DecisionRule) -> tuple[float, float]:
    """The lowest and the highest logit of the output, from logits (turn, picture, class): each turn's are made into
    values of the output before their mean is."""
    exact = rule.log_odds(logits.mean(axis=0))
    thresholds = [logit(rule.threshold_low.value), logit(rule.threshold_refer.value)]
    near = np.min([np.abs(exact - threshold) for threshold in thresholds], axis=0) < NEAR
    best, least = (float(logits.min()), float(logits.max())), np.inf
    for below, above in itertools.product(CUT, CUT):
        low, high = (float(value) for value in np.percentile(logits, [below, 100 - above]))
        score = rule.log_odds(quantised(quantised(logits, low, high).mean(axis=0), low, high))
        if score.min() > max(exact.min(), min(thresholds) - BEYOND) + scale_of(low, high):
            continue
        if score.max() < min(exact.max(), max(thresholds) + BEYOND) - scale_of(low, high):
            continue
        # decisions count more than distances: one that turns is worth a level for every picture
        turned = sum(float(((score >= at) != (exact >= at)).mean()) for at in thresholds)
        moved = float(np.abs(score - exact)[near].mean()) if near.any() else 0.0
        cost = turned * 10 + moved
        if high - low > 1e-3 and cost < least:
            best, least = (low, high), cost
    return best


def quantised(logits: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    """The logits as 256 values between the ends say them."""
    scale, zero_point = grid(low, high)
    codes = np.clip(np.rint(logits / scale) + zero_point, 0, 255)
    return np.asarray((codes - zero_point) * scale, np.float32)


def scale_of(low: float, high: float) -> float:
    """One level of an output from `low` to `high`."""
    return grid(low, high)[0]


def grid(low: float, high: float) -> tuple[float, int]:
    """Scale and zero point of a uint8 output from `low` to `high`; zero is one of its values."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255
    return scale, int(np.clip(np.rint(-low / scale), 0, 255))


def with_output_range(model: bytes, low: float, high: float) -> bytes:
    """The model with another scale of its 8-bit logits; one whose logits are made another way is returned as it is."""
    scale, zero_point = grid(low, high)
    schema = generated_schema()
    content = schema.ModelT.InitFromPackedBuf(model, 0)
    (graph,) = content.subgraphs
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    maker = {int(output): operator for operator in graph.operators for output in operator.outputs}
    place, changed = int(graph.outputs[0]), []
    while True:
        operator = maker[place]
        changed.append(place)
        code = content.operatorCodes[operator.opcodeIndex]
        kind = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        if kind in _MAKES_LOGITS:
            break
        if kind != "QUANTIZE":
            return model
        place = int(operator.inputs[0])
    for place in changed:
        tensor = graph.tensors[place]
        offset = {schema.TensorType.UINT8: 0, schema.TensorType.INT8: -128}.get(tensor.type)
        if offset is None:
            return model
        tensor.quantization.scale = np.array([scale], np.float32)
        tensor.quantization.zeroPoint = np.array([zero_point + offset], np.int64)
    return repacked(content, size=len(model))
