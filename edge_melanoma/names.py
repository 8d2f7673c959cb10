"""Names of files need not be text: a byte that is none is a lone surrogate to Python, which readers of JSON refuse."""

from __future__ import annotations

import os
import re

_NO_TEXT = re.compile("[\ud800-\udfff]")


def as_text(words: str) -> str:
    """The same with U+FFFD in place of what is no text."""
    return _NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", words)


def bytes_of(name: str, *, key: str) -> dict[str, str]:
    """For the JSON that holds the name by this key: its bytes in hex beside it, only where it is no text."""
    return {f"{key}_bytes_hex": os.fsencode(name).hex()} if _NO_TEXT.search(name) else {}
