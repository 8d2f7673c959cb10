"""What is printed and committed of a run and of a count: tables, and JSON beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_melanoma.bundle import read_bundle
from edge_melanoma.bundle.archive import has_archive
from edge_melanoma.report import markdown_table

from ..host import write_result
from .build import Workshop, emulator_version
from .device import Device
from .run import PiReport, versions
from .suites import KERNEL

RUN, COUNTS = "pi", "pi-instructions"
RUN_HEADERS = ("device", "task", "bundle", "", "what was found", "peak MB there", "peak MB here")
ENGINE = "ai_edge_litert"
NO_TIMES = "Emulated: instructions and bytes are a Raspberry Pi's, times and temperatures are not, and none is given."


def run_rows(report: PiReport) -> list[tuple[object, ...]]:
    """The table of a run."""
    return [
        (
            row.device,
            row.task,
            row.bundle or "",
            "ok" if row.passed else "FAILS",
            row.detail,
            row.peak_mb,
            row.here_peak_mb,
        )
        for row in report.rows
    ]


def install_remarks(report: PiReport) -> list[str]:
    """How large the base install is, by suite."""
    remarks = []
    for suite, sizes in report.base_install_bytes.items():
        largest = ", ".join(f"{name} {size / 1e6:.1f}" for name, size in list(sizes.items())[:6])
        rest = sum(list(sizes.values())[6:]) / 1e6
        remarks.append(
            f"Base install on 64-bit ARM, {suite}: {sum(sizes.values()) / 1e6:.0f} MB in {len(sizes)} packages "
            f"({largest}, all others {rest:.1f}), without what Python compiles of it later."
        )
    return remarks


def memory_remark() -> str:
    """How to read the column of memory."""
    return (
        "Peak memory is that of the largest process. There it holds the emulator and what that translated, about 50 "
        "MB: it says that nothing is out of proportion; what a Raspberry Pi needs is nearer to the figure of here."
    )


def print_run(report: PiReport) -> None:
    """The table, and what stands below it."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in run_rows(report)]
    print(markdown_table(RUN_HEADERS, cells))
    for remark in (*install_remarks(report), memory_remark()):
        print(f"- {remark}")


def write_run(
    report: PiReport, devices: Sequence[Device], workshop: Workshop, *, folder: Path, name: str = RUN
) -> Path:
    """Write the run to NAME.json and NAME.md."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in run_rows(report)]
    return write_result(
        name,
        "The base install on an emulated Raspberry Pi, compared with this machine",
        {**report.to_json(), **made_of(devices, workshop)},
        RUN_HEADERS,
        cells,
        arguments=("run", "BUNDLE...", *(("--name", name) if name != RUN else ())),
        remarks=(NO_TIMES, *install_remarks(report), memory_remark(), _made_in_words(devices, workshop)),
        packages=("ai-edge-litert", "numpy", "pillow"),
        module="pi",
        folder=folder,
    )


def made_of(devices: Sequence[Device], workshop: Workshop) -> dict[str, Any]:
    """The emulator, and what is installed on the devices."""
    installed = {device.suite.name: dict(sorted(versions(device).items())) for device in devices}
    return {"emulator": f"qemu {emulator_version(workshop.emulator())}", "kernel": KERNEL, "installed": installed}


def _made_in_words(devices: Sequence[Device], workshop: Workshop) -> str:
    made = made_of(devices, workshop)
    there = "; ".join(f"{suite}: ai-edge-litert {them[ENGINE]}" for suite, them in made["installed"].items())
    return f"{made['emulator']}; {there}."


def model_facts(path: Path) -> tuple[str, dict[str, Any]]:
    """What a model is called, and what it is; the counts depend on the network, and hardly on its weights."""
    data = path.read_bytes()
    name, model = path.stem, data
    if has_archive(data):
        bundle = read_bundle(data, name=path.name)
        name, model = bundle.manifest.model.name, bundle.model
    return name, {"model_bytes": len(model), "model_sha256": hashlib.sha256(model).hexdigest()}


COUNT_HEADERS = ("what", "core", "instructions", "of them vector", "of them int8 dot products", "of float32")


def count_rows(counted: Mapping[str, Any], predicted: Mapping[str, Any]) -> list[tuple[object, ...]]:
    """The table of the counts; an int8 model stands beside the float32 model of the same name."""
    rows: list[tuple[object, ...]] = []
    for name, about in counted.items():
        for core, found in about["instructions"].items():
            beside = _float32_of(name, counted)
            share = f"{found['all'] / beside['instructions'][core]['all']:.2f}" if beside else ""
            rows.append((f"{name}, an inference", core, *_shown(found), share))
    for name, about in predicted.items():
        for core, found in about["instructions"].items():
            rows.append((f"`predict {about['picture']}` with {name}", core, *_shown(found), ""))
    return rows


def _shown(found: Mapping[str, int]) -> tuple[str, str, str]:
    return f"{found['all']:,}", f"{found['vector'] / found['all']:.0%}", f"{found['dot'] / found['all']:.0%}"


def _float32_of(name: str, counted: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return counted.get(name.replace("int8", "float32")) if "int8" in name else None


def write_counts(
    counted: Mapping[str, Any],
    predicted: Mapping[str, Any],
    devices: Sequence[Device],
    workshop: Workshop,
    *,
    folder: Path,
) -> Path:
    """Write the counts to pi-instructions.json and pi-instructions.md."""
    return write_result(
        COUNTS,
        "Instructions per inference on 64-bit ARM",
        {"models": counted, "predict": predicted, **made_of(devices, workshop)},
        COUNT_HEADERS,
        count_rows(counted, predicted),
        arguments=("count", "MODEL..."),
        remarks=(
            "One thread; equal from run to run, whatever else the machine does. They are not milliseconds: what a core "
            "does at once, its caches and its memory are not in them.",
            "cortex-a72 is a Raspberry Pi 4, cortex-a76 a Raspberry Pi 5: only the latter has the int8 dot product.",
            "`predict` is the whole process, from the start of Python to the printed decision, for a bundle that was "
            "met before.",
            _made_in_words(devices, workshop),
        ),
        packages=("numpy",),
        module="pi",
        folder=folder,
    )
