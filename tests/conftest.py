"""Fixtures of several test files. Test modules cannot import each other (import mode importlib), so a fixture does."""

import importlib.util
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def mini():
    """The builders of miniatures.py: every data set in its published layout, with a handful of pictures."""
    return _module(HERE / "miniatures.py")


@pytest.fixture(scope="session")
def tiny():
    """The builders of golden/tiny/make.py: small models, and bundles and manifests of them."""
    return _module(HERE / "golden" / "tiny" / "make.py")


def _module(path):
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
