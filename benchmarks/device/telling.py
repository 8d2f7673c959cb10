"""A report in rows of text, the same for terminal, Markdown and page; a latency never stands without its host."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from edge_melanoma.report import Cell

from .conditions import Conditions, throttling_in_words
from .int8 import coverage_in_words
from .result import Device, EndToEnd, Measurement, Report, Settings
from .stream import Series

Row = tuple[str, str]
METHOD = (
    "Single stream by MLPerf's rules: one query after the other, at least 64 of them and a minimum time, after a "
    "warm-up whose end is found in the latencies (MSER-5). p90 and p99 are MLPerf's early-stopping estimates: not "
    "below the true value in 99 of 100 runs; – means too few queries. MLPerf's own minimum time is 600 s."
)
MEMORY = (
    "Peak memory is that of a process of its own which only loads the artefact and decides on one picture: Python, "
    "NumPy, Pillow, the engine and the model; `libraries` is what it holds before the model is there."
)


def ms(value: float | None) -> str:
    """Milliseconds with three digits that count."""
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def overview(report: Report) -> tuple[list[str], list[list[Cell]]]:
    """One row for each measurement."""
    pictures = list(dict.fromkeys(one.picture for found in report.measurements for one in found.end_to_end))
    headers = [
        *("device", "artefact", "format", "kB", "threads", "p50 ms", "p90 ms", "p99 ms"),
        *(f"{picture}: p50 ms" for picture in pictures),
        *("first decision ms", "peak MB", "outputs", "trust"),
    ]
    return headers, [_overview_row(found, pictures) for found in report.measurements]


def _overview_row(found: Measurement, pictures: Sequence[str]) -> list[Cell]:
    whole = {one.picture: one.series.p50_ms for one in found.end_to_end}
    series = found.model
    return [
        found.device.name,
        found.name,
        found.artefact.format,
        f"{found.artefact.size_bytes / 1e3:.0f}",
        found.settings.threads,
        *(ms(value) for value in (series.p50_ms, series.p90_ms, series.p99_ms)),
        *(ms(whole.get(picture)) for picture in pictures),
        ms(typical(found, "first_decision_ms")),
        ms(typical(found, "peak_mb")),
        outputs_in_short(found),
        "marked" if found.marks else "quiet",
    ]


def typical(found: Measurement, name: str) -> float | None:
    """The median of a figure of the cold starts."""
    values = [getattr(one, name) for one in found.cold if getattr(one, name) is not None]
    return median(values) if values else None


def outputs_in_short(found: Measurement) -> str:
    """Did the golden outputs, and the data, come out as promised?"""
    if not found.checks:
        return "not known"
    if not found.parity_passed:
        return "NOT as promised"
    return "as promised, by decisions" if found.warnings else "as promised"


def host_rows(device: Device, settings: Settings) -> list[Row]:
    """The device and the state it was in; nothing is left out, what is unknown says so."""
    machine = device.machine
    memory = f"{machine.memory_mb:,} MB" if machine.memory_mb else "unknown"
    versions = ", ".join(f"{name} {version}" for name, version in device.versions.items())
    emulated = f", emulated by {device.emulator}" if device.emulator else ""
    others = "unknown" if device.others_share is None else f"{device.others_share:.1%} of all cores"
    return [
        ("board", f"{machine.board or 'unknown (no device tree)'}{emulated}"),
        ("processor", f"{machine.cpu or 'unknown'}, {machine.architecture}, {machine.cores} cores usable"),
        ("for int8", ", ".join(machine.features) or "no instruction set that helps"),
        ("memory", memory),
        ("governor", _governor(device.during)),
        ("frequency", _frequency(device)),
        ("temperature", _temperature(device)),
        ("throttling", throttling_in_words(device.after.throttled)),
        ("load", f"{_load(device.before)} before, {_load(device.after)} after; other programs took {others}"),
        ("engine", f"{device.engine} {device.engine_version}, {threads_in_words(settings.threads)}"),
        ("software", f"{machine.system}, {machine.c_library}, Python {machine.python}, {versions}"),
        ("measured", f"{_counted(settings.repeats, 'run')} of at least {settings.seconds:g} s and 64 queries"),
    ]


def threads_in_words(number: int) -> str:
    """`1 thread`, `2 threads`."""
    return _counted(number, "thread")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _governor(seen: Conditions) -> str:
    return seen.governor or "unknown (no cpufreq)"


def _frequency(device: Device) -> str:
    seen = device.during
    if seen.frequency_mhz is None:
        return "unknown (no cpufreq)"
    limits = [f"{value:.0f}" if value else "?" for value in (seen.min_frequency_mhz, seen.max_frequency_mhz)]
    return f"{seen.frequency_mhz:.0f} MHz under load, of {limits[0]} to {limits[1]} MHz"


def _temperature(device: Device) -> str:
    if device.after.temperature_c is None:
        return "unknown (no thermal zone)"
    looks = (("before", device.before), ("hottest", device.during), ("after", device.after))
    return ", ".join(f"{one.temperature_c:.1f} °C {when}" for when, one in looks if one.temperature_c is not None)


def _load(seen: Conditions) -> str:
    return "unknown" if seen.load_1min is None else f"{seen.load_1min:.2f}"


def measured_rows(found: Measurement) -> list[Row]:
    """Everything that was measured of one artefact, in words."""
    artefact, anatomy = found.artefact, found.anatomy
    rows = [
        ("file", f"{artefact.size_bytes:,} bytes, of which model {artefact.model_bytes:,}; SHA-256 {artefact.sha256}"),
        ("model", f"{artefact.format}: {artefact.input} → {artefact.output}; {anatomy.macs:,} multiply-adds"),
        ("model only", _series(found.model)),
        *(row for one in found.end_to_end for row in _end_to_end(one)),
        ("cold", _cold(found)),
        ("memory", _memory(found)),
    ]
    if found.sweep:
        told = ", ".join(f"{one.threads}: {ms(one.p50_ms)} ms" for one in found.sweep)
        taken = f"; `predict` takes {found.predict_threads}" if found.predict_threads else ""
        rows.append(("threads", f"p50 by number of threads: {told}{taken}"))
    rows += [("int8", told) for told in found.int8]
    rows += [("delegate", coverage_in_words(anatomy)), ("operators", operators_in_short(found))]
    rows += [(f"{check.check}", _judged(check.passed, check.detail)) for check in found.checks[-2:]]
    rows += [("warning", told) for told in found.warnings]
    rows += data_rows(found)
    rows += [("mark", told) for told in found.marks]
    return rows + [("note", told) for told in artefact.remarks]


def _end_to_end(found: EndToEnd) -> list[Row]:
    """From a picture to a decision, and where the time goes."""
    stages = ", ".join(f"{name} {ms(value)} ms" for name, value in found.stages_ms.items())
    return [(f"from {found.picture}", _series(found.series)), ("stages", f"{stages} (medians)")]


def _series(series: Series) -> str:
    agree = "agree" if series.agrees else "do NOT agree"
    runs = f"; {len(series.runs)} runs {agree} ({series.spread:.1%} apart)" if len(series.runs) > 1 else ""
    return (
        f"p50 {ms(series.p50_ms)} ms, p90 {ms(series.p90_ms)} ms, p99 {ms(series.p99_ms)} ms of {series.queries:,} "
        f"queries after {max(run.warm_up_queries for run in series.runs):,} to warm up{runs}"
    )


def _cold(found: Measurement) -> str:
    parts = [
        f"{told} {ms(typical(found, name))} ms"
        for told, name in (
            ("libraries", "start_ms"),
            ("open and check", "open_ms"),
            ("load", "load_ms"),
            ("first inference", "first_inference_ms"),
        )
    ]
    first = typical(found, "first_decision_ms")
    whole = f"; a new process has its first decision ({found.cold_picture}) after {ms(first)} ms" if first else ""
    return ", ".join(parts) + whole


def _memory(found: Measurement) -> str:
    peak, libraries = typical(found, "peak_mb"), typical(found, "libraries_mb")
    if peak is None or libraries is None:
        return "unknown"
    return f"peak {peak:.0f} MB, of which libraries {libraries:.0f} MB"


def data_rows(found: Measurement) -> list[Row]:
    """What the pictures of --data showed."""
    data = found.data
    if data is None:
        return []
    rows = [("data", f"{data.pictures:,} test pictures, {data.positives:,} of them positive")]
    for one in data.measures:
        stated = "the manifest states none" if one.stated is None else f"stated {one.stated:.4f}"
        within = "" if one.limit is None else f", up to {one.limit:.4f} may lie between"
        rows.append((one.measure, _judged(one.passed, f"{one.found:.4f} here; {stated}{within}")))
    return rows + [("note", told) for told in data.remarks]


def _judged(passed: bool | None, text: str) -> str:
    return f"{'not judged' if passed is None else 'pass' if passed else 'FAIL'}: {text}"


def operators_in_short(found: Measurement) -> str:
    """Where the multiply-adds are."""
    anatomy = found.anatomy
    told = [f"{one.count} {one.name} ({one.macs / anatomy.macs:.0%})" for one in anatomy.operators if one.macs]
    return f"{', '.join(told) or 'none with multiply-adds'}; {anatomy.profile}"


def operator_rows(found: Measurement) -> tuple[list[str], list[list[Cell]]]:
    """What the model is made of."""
    anatomy = found.anatomy
    rows: list[list[Cell]] = [
        [
            one.name,
            one.count,
            one.macs,
            f"{one.macs / anatomy.macs:.1%}" if anatomy.macs else "–",
            one.weights,
            anatomy.left.get(one.name, 0) if anatomy.delegated is not None else "not told",
        ]
        for one in anatomy.operators
    ]
    return ["operator", "count", "multiply-adds", "share", "constants", "outside the delegate"], rows
