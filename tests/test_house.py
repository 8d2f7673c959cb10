"""Rules of the house that no linter knows: what is imported where, and that what is on disk is what is installed."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STAGES = ("train", "convert", "benchmarks")
CODE = [path for path in ROOT.rglob("*.py") if not {".venv", "build", "demo"} & set(path.relative_to(ROOT).parts)]
GROUND_FLOOR_ONLY_LIGHT = ("tensorflow", "tf_keras", "keras", "pandas", "sklearn", "matplotlib", "polars", "h5py")


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


def test_stages_are_imported_only_below_the_package():
    wrong = [
        f"{path.relative_to(ROOT)}: {name}" for path in CODE for name in imports(path) if name.split(".")[0] in STAGES
    ]
    assert not wrong


def test_no_stage_imports_another():
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for stage in STAGES
        for path in (ROOT / stage).rglob("*.py")
        for name in imports(path)
        for other in STAGES
        if name.startswith(f"edge_melanoma.{other}")
    ]
    assert not wrong, "inside a stage imports are relative, and stages meet only on disk"


def test_every_package_on_disk_is_installed_and_none_other():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    on_disk = {
        ".".join(folder.relative_to(ROOT).parts)
        for top in ("edge_melanoma", *STAGES)
        for folder in [ROOT / top, *(ROOT / top).rglob("*")]
        if (folder / "__init__.py").is_file()
    }
    installed = {f"edge_melanoma.{name}" if name.split(".")[0] in STAGES else name for name in on_disk}
    assert set(declared["packages"]) == installed


def test_constraints_pin_exact_versions_and_name_no_address():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][\w.+]*", line) for line in lines)


@pytest.mark.parametrize(
    "argv",
    [
        ["--help"],
        ["--version"],
        ["data", "--help"],
        ["data", "ingest", "--help"],
        ["doctor", "--help"],
        ["verify", "--help"],
        ["show", "--help"],
        ["predict", "--help"],
        ["bench", "--help"],
    ],
)
def test_help_imports_nothing_heavy(argv):
    code = (
        "import sys, json\n"
        "from edge_melanoma.cli import command\n"
        f"try: command()({argv!r})\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"print(json.dumps([name for name in {GROUND_FLOOR_ONLY_LIGHT!r} if name in sys.modules]), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stderr.splitlines()[-1]) == []


def test_importing_the_package_costs_nothing_heavy():
    code = "import sys, edge_melanoma; print(len([m for m in ('numpy', 'PIL', 'rich', 'typer') if m in sys.modules]))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "0"
