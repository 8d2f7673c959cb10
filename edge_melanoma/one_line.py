"""What a terminal, a report or a reader must not be led astray by: names of files, and whatever else others wrote."""

from __future__ import annotations


def one_line(text: str) -> str:
    """As it is, where it can be printed; a line break in the name of a file must not look like another answer."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
