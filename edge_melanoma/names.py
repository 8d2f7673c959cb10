"""Names of files, and whatever else others wrote, as a terminal, a report or a reader of JSON can take them.

A name need not be text: a byte that is none is a lone surrogate to Python, which readers of JSON refuse.
"""

from __future__ import annotations

import os
import re

_NO_TEXT = re.compile("[\ud800-\udfff]")


def one_line(text: str) -> str:
    """As it is, where it can be printed; a line break in the name of a file must not look like another answer."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def as_text(words: str) -> str:
    """The same with U+FFFD in place of what is no text."""
    return _NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", words)


def bytes_of(name: str, *, key: str) -> dict[str, str]:
    """For the JSON that holds the name by this key: its bytes in hex beside it, only where it is no text."""
    return {f"{key}_bytes_hex": os.fsencode(name).hex()} if _NO_TEXT.search(name) else {}
