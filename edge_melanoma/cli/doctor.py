"""`doctor`: what this machine has and lacks, and the command that mends it."""

from __future__ import annotations

from typing import Any

from edge_melanoma.cli.options import Json


def doctor(as_json: Json = False) -> None:
    """Say what this machine has and lacks for each part of edge-melanoma, with the exact mend."""
    from edge_melanoma.cli.console import print_json
    from edge_melanoma.doctor import examine

    facts = examine()
    if as_json:
        print_json(facts)
    else:
        _print(facts)


def _print(facts: dict[str, Any]) -> None:
    from rich.table import Table

    from edge_melanoma.cli.console import out as console
    from edge_melanoma.machine import INT8_FEATURES

    machine = facts["machine"]
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("[bold]edge-melanoma[/]", f"{facts['edge_melanoma']} on Python {machine['python']}")
    table.add_row("[bold]machine[/]", machine["board"] or machine["cpu"] or "unknown")
    table.add_row("", f"{machine['architecture']}, {machine['cores']} cores usable, {machine['system']}")
    if machine["memory_mb"]:
        table.add_row(
            "[bold]memory[/]", f"{machine['memory_mb']:,} MB, {machine['memory_available_mb']:,} MB available"
        )
    found = [f"{name} ({INT8_FEATURES[name]})" for name in machine["features"]]
    table.add_row("[bold]int8[/]", "\n".join(found) or "no instruction set that helps int8 was found")
    for name, engine in facts["engines"].items():
        state = "not installed" if not engine["version"] else engine["trouble"] or "works"
        state = "installed" if name == "tensorflow" and engine["version"] else state
        table.add_row("[bold]engine[/]", " ".join(filter(None, (name, engine["version"], f"– {state}"))))
    libraries = ", ".join(f"{name} {version or 'absent'}" for name, version in facts["libraries"].items())
    table.add_row("[bold]libraries[/]", libraries)
    for extra, packages in facts["extras"].items():
        missing = [name for name, version in packages.items() if version is None]
        state = "incomplete" if missing else "complete"
        table.add_row("[bold]extra[/]", f"{extra} – {state}")
    console.print(table)
    for mend in facts["mends"]:
        console.print("[yellow]lacks[/] ", end="")
        console.print(f"{mend['lacks']}: {mend['mend']}", markup=False)
    if not facts["mends"]:
        console.print("[green]nothing is lacking[/]")
