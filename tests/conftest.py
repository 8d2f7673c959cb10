"""Fixtures of several test files. Test modules cannot import each other (import mode importlib), so a fixture does."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def mini():
    """The builders of miniatures.py: every data set in its published layout, with a handful of pictures."""
    spec = importlib.util.spec_from_file_location("miniatures", Path(__file__).with_name("miniatures.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
