"""Every committed measurement says on what it was made and by which command; one way to write both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_melanoma.machine import installed, this_machine
from edge_melanoma.output import write_file, write_json
from edge_melanoma.report import markdown_table

RESULTS = Path(__file__).parent / "results"


def host_facts(*packages: str) -> dict[str, Any]:
    """The machine, and the versions of the packages that were measured."""
    return {**this_machine().to_json(), "packages": {name: installed(name) for name in packages}}


def write_result(
    name: str,
    title: str,
    result: Mapping[str, Any],
    headers: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    arguments: Sequence[str] = (),
    remarks: Sequence[str] = (),
    packages: Sequence[str] = ("numpy", "pillow"),
    module: str | None = None,
    folder: Path = RESULTS,
) -> Path:
    """Write results/NAME.json with everything and results/NAME.md with the table; returns the latter's path.

    `arguments` are the command's, with words (INDEX) in place of paths: those are of one machine. `module` is what is
    run, where it is not called as its result is.
    """
    folder.mkdir(exist_ok=True)
    command = " ".join([f"python -m edge_melanoma.benchmarks.{module or name}", *arguments])
    host = host_facts(*packages)
    write_json(folder / f"{name}.json", {"command": command, "host": host, **result})
    versions = ", ".join(f"{package} {version}" for package, version in host["packages"].items() if version)
    lines = [
        f"# {title}",
        "",
        f"`{command}` on {host['cpu']}, {host['cores']} cores, {host['system'].split(',')[0]}, "
        f"Python {host['python']}, {versions}. Absolute times are of that machine; ratios are of one run.",
        "",
        markdown_table(headers, [[str(cell) for cell in row] for row in rows]),
        *(["", *(f"- {remark}" for remark in remarks)] if remarks else []),
    ]
    path = folder / f"{name}.md"
    write_file(path, "\n".join(lines).rstrip() + "\n")
    return path
