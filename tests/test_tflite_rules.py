"""Each rule fires on a planted defect, names it, and is silent on the model without. No TensorFlow here."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from edge_melanoma.tflite.model import read_model
from edge_melanoma.tflite.rules import problems, summary

_spec = importlib.util.spec_from_file_location("flat_files", Path(__file__).with_name("flat_files.py"))
flat = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(flat)
Num, ints = flat.Num, flat.ints

TINY = flat.tiny_model()
CUSTOM, DEQUANTIZE, SIN, INT16 = 32, 6, 66, 7
GRAPH, TENSORS = flat.GRAPH, (*flat.GRAPH, flat.TENSORS)


def with_changes(*changes):
    model = TINY
    for path, value in changes:
        model = flat.changed(model, path, value)
    return model


def found(model, kind="int8", **options):
    return problems(read_model(flat.tflite(model), name="tiny.tflite"), kind, **options)


def test_a_sound_int8_model_has_no_problem():
    assert found(TINY) == []


DEFECTS = [
    (
        [((flat.CODES, 0), {1: "FlexErf", 3: Num("i", CUSTOM)})],
        [f"operator {n} ('FlexErf') is not built in: it needs TensorFlow itself on the device" for n in (0, 3)],
    ),
    (
        [((flat.CODES, 2), {1: "Blur", 3: Num("i", CUSTOM)})],
        ["operator 2 ('Blur') is not built in: it needs code of its own on the device"],
    ),
    ([((flat.GRAPHS,), TINY[flat.GRAPHS] * 2)], ["it has 2 subgraphs"]),
    ([((*GRAPH, flat.OUTPUTS), ints(8, 8))], ["it has 2 outputs; one is right"]),
    (
        [
            ((*TENSORS,), [*TINY[flat.GRAPHS][0][0], flat.tensor("age", 3, (1, 4, 4, 3), scales=[1.0])]),
            ((*GRAPH, flat.INPUTS), ints(0, 9)),
        ],
        ["it has 2 inputs; one is right"],
    ),
    (
        [((*TENSORS, 0, 7), ints(-1, 4, 4, 3)), ((*TENSORS, 1, 7), ints(-1, 4, 4, 3))],
        ["2 tensors have an open dimension, the first is tensor 0 ('picture'), [-1, 4, 4, 3]; convert with batch 1"],
    ),
    ([((*TENSORS, 0, 0), ints(2, 4, 4, 3))], ["input tensor 0 ('picture') has shape [2, 4, 4, 3]"]),
    ([((*TENSORS, 0, 0), ints(1, 4, 4, 1))], ["input tensor 0 ('picture') has shape [1, 4, 4, 1]"]),
    ([((*TENSORS, 0, 0), ints(1, 48))], ["input tensor 0 ('picture') has shape [1, 48]"]),
    ([((*TENSORS, 0, 1), Num("b", flat.INT8))], ["input tensor 0 ('picture') is INT8; UINT8 is right"]),
    (
        [((*TENSORS, 0), flat.tensor("picture", flat.FLOAT32, (1, 4, 4, 3)))],
        [
            "input tensor 0 ('picture') is FLOAT32; UINT8 is right",
            "operator 0 (QUANTIZE) converts to or from float: tensor 1 ('quantized')",
        ],
    ),
    (
        [((*TENSORS, 0, 4, 2), np.float32([1 / 127.5])), ((*TENSORS, 0, 4, 3), np.array([128], "<i8"))],
        ["input tensor 0 ('picture') has scale 0.007843137718737125 and zero point 128; 1 and 0 are right"],
    ),
    ([((*TENSORS, 0, 4, 2), np.float32([1 + 2**-19]))], ["has scale 1.0000019073486328 and zero point 0"]),
    ([((*TENSORS, 0, 4, 3), np.array([1], "<i8"))], ["has scale 1.0 and zero point 1"]),
    (
        [((*TENSORS, 0, 4), None)],
        ["has scale None and zero point None", "tensor 0 ('picture') is UINT8 and has 0 scales"],
    ),
    (
        [((*TENSORS, 8), flat.tensor("logits", flat.FLOAT32, (1, 2)))],
        [
            "output tensor 8 ('logits') is FLOAT32; UINT8 or INT8 is right",
            "operator 3 (QUANTIZE) converts to or from float: tensor 8 ('logits')",
        ],
    ),
    ([((*TENSORS, 8, 0), ints(1, 1, 1, 2))], ["output tensor 8 ('logits') has shape [1, 1, 1, 2]; [1, classes] is"]),
    (
        [((*TENSORS, 2, 4), flat.tensor("", 9, (), scales=[0.01])[4])],
        ["the kernel of operator 1 (DEPTHWISE_CONV_2D), tensor 2 ('dw/kernel'), has one scale for its 3 channels"],
    ),
    (
        [((*TENSORS, 2, 1), Num("b", flat.UINT8))],
        ["the kernel of operator 1 (DEPTHWISE_CONV_2D), tensor 2 ('dw/kernel'), is UINT8; INT8 is right for int8"],
    ),
    (
        [((*TENSORS, 7, 1), Num("b", INT16))],
        ["operator 2 (FULLY_CONNECTED) computes with tensor 7 ('result'), which is INT16; INT8 is right for int8"],
    ),
]


@pytest.mark.parametrize(("changes", "sentences"), DEFECTS, ids=[sentences[0][:60] for _, sentences in DEFECTS])
def test_a_planted_defect_is_named(changes, sentences):
    reported = found(with_changes(*changes))
    assert len(reported) == len(sentences), reported
    for sentence, words in zip(reported, sentences, strict=True):
        assert words in sentence


def test_a_scale_that_differs_from_one_by_rounding_is_one():
    assert found(with_changes(((*TENSORS, 0, 4, 2), np.float32([1 + 2**-22])))) == []


@pytest.fixture
def island():
    """The tiny model with a sine in float between the depthwise convolution and the logits."""
    model = with_changes(
        ((flat.CODES,), [*TINY[flat.CODES], {3: Num("i", DEQUANTIZE)}, {3: Num("i", SIN)}]),
        (
            TENSORS,
            [
                *TINY[flat.GRAPHS][0][flat.TENSORS],
                flat.tensor("net/dw/depthwise1", flat.FLOAT32, (1, 4, 4, 3)),
                flat.tensor("net/wave/Sin", flat.FLOAT32, (1, 4, 4, 3)),
                flat.tensor("net/wave/Sin1", flat.INT8, (1, 4, 4, 3), scales=[0.01]),
            ],
        ),
    )
    first, second, third, last = model[flat.GRAPHS][0][flat.OPERATORS]
    third[1] = ints(11, 5, 6)
    model[flat.GRAPHS][0][flat.OPERATORS] = [
        first,
        second,
        {0: Num("I", 3), 1: ints(4), 2: ints(9)},
        {0: Num("I", 4), 1: ints(9), 2: ints(10)},
        {0: Num("I", 0), 1: ints(10), 2: ints(11)},
        third,
        last,
    ]
    return model


def test_a_float_island_is_three_problems(island):
    assert found(island) == [
        "operator 2 (DEQUANTIZE) converts to or from float: tensor 9 ('net/dw/depthwise1')",
        "operator 3 (SIN) computes in float: tensor 10 ('net/wave/Sin')",
        "operator 4 (QUANTIZE) converts to or from float: tensor 11 ('net/wave/Sin1')",
    ]
    assert summary(read_model(flat.tflite(island), name="tiny.tflite"))["float_operators"] == 3


def test_a_layer_that_may_stay_float_takes_its_conversions_along(island):
    assert found(island, allow_float=["wave"]) == []


def test_a_conversion_that_serves_another_operator_as_well_is_a_problem(island):
    island[flat.GRAPHS][0][flat.TENSORS].append(flat.tensor("net/other/Sin", flat.FLOAT32, (1, 4, 4, 3)))
    island[flat.GRAPHS][0][flat.OPERATORS].append({0: Num("I", 4), 1: ints(9), 2: ints(12)})
    assert [sentence[:10] for sentence in found(island, allow_float=["wave"])] == ["operator 2", "operator 7"]


def test_a_layer_that_no_operator_belongs_to_is_told(island):
    assert found(island, allow_float=["wave", "wav"]) == [
        "layer 'wav' may stay float, and no operator belongs to a layer of that name"
    ]


def test_a_layer_is_also_known_by_the_kernel_that_it_alone_reads(island):
    assert "layer 'dw' may" not in "".join(found(island, allow_float=["dw"]))


def test_an_int8_model_is_nothing_else():
    assert any("is INT8; FLOAT16 is right for float16" in sentence for sentence in found(TINY, "float16"))
    assert any("is INT8; FLOAT32 is right for float32" in sentence for sentence in found(TINY, "float32"))
    assert any("is INT8; FLOAT32 is right for dynamic" in sentence for sentence in found(TINY, "dynamic"))
    assert any("is INT8; INT16 is right for int16x8" in sentence for sentence in found(TINY, "int16x8"))


def test_an_int16_input_has_zero_point_zero():
    picture = flat.tensor("picture", INT16, (1, 4, 4, 3), scales=[0.01], zero_points=[7])
    reported = found(with_changes(((*TENSORS, 0), picture)), "int16x8")
    assert "tensor 0 ('picture') is INT16 with zero point 7; 0 is right" in reported


def test_the_summary_counts_operators_and_tells_how_to_feed_and_read_the_model():
    assert summary(read_model(flat.tflite(TINY), name="tiny.tflite")) == {
        "operators": {"DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "QUANTIZE": 2},
        "float_operators": 0,
        "inputs": [{"name": "picture", "type": "UINT8", "shape": [1, 4, 4, 3], "scale": 1.0, "zero_point": 0}],
        "outputs": [{"name": "logits", "type": "UINT8", "shape": [1, 2], "scale": 0.5, "zero_point": 128}],
    }
