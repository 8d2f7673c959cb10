"""Why int8 is or is not faster than float on this device, in plain words: from its instruction sets and its engine."""

from __future__ import annotations

from collections.abc import Sequence

from edge_melanoma.machine import INT8_FEATURES, Machine

from .anatomy import NO_COVERAGE, Anatomy

DOT_PRODUCTS = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")


def int8_in_words(machine: Machine, slow_engine: str | None) -> tuple[str, ...]:
    """What this processor and this engine make of int8."""
    return (_of_processor(machine), *([f"{slow_engine}, so int8 may be slower than float here"] if slow_engine else []))


def _of_processor(machine: Machine) -> str:
    dot = [name for name in machine.features if name in DOT_PRODUCTS]
    if dot:
        return (
            f"int8 can be faster than float here: the processor has {', '.join(dot)}, which multiplies and adds four "
            "int8 where float does one; layers that wait for memory, first layers and depthwise ones gain less"
        )
    if "asimd" in machine.features:
        return (
            "int8 is about as fast as float here: the processor has vectors (asimd) but no int8 dot product (asimddp), "
            "so int8 is widened to 16 bits before it is multiplied; what int8 saves is three quarters of the file and "
            "of the memory for weights"
        )
    if "avx2" in machine.features:
        return (
            f"int8 gains little here: {INT8_FEATURES['avx2']}, with no dot product in one instruction; what it saves "
            "is three quarters of the file and of the memory for weights"
        )
    return (
        "whether int8 is faster than float cannot be told from the processor: it names none of the instruction sets "
        f"that int8 uses ({', '.join(INT8_FEATURES)})"
    )


def coverage_in_words(anatomy: Anatomy) -> str:
    """What of the model runs in the fast part of the engine."""
    if anatomy.delegated is None or anatomy.coverage is None:
        return NO_COVERAGE
    if not anatomy.delegated:
        return "XNNPACK took no operator: all of them run in the engine's plain kernels, which are several times slower"
    left = ", ".join(f"{count} {name}" for name, count in anatomy.left.items())
    pieces = "one piece" if anatomy.delegates == 1 else f"{anatomy.delegates} pieces, with a hand-over between them"
    rest = f"; outside it run {left}" if left else ""
    return f"XNNPACK took {anatomy.delegated} of {anatomy.count} operators ({anatomy.coverage:.0%}), in {pieces}{rest}"


def measured_in_words(pairs: Sequence[tuple[str, str, float]]) -> tuple[str, ...]:
    """What was measured of an int8 model beside the float one of the same network: (int8, float, ratio of medians)."""
    return tuple(f"measured here: {small} takes {ratio:.2f} of the time of {large}" for small, large, ratio in pairs)
