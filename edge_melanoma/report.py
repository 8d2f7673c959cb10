"""Results as one HTML page that needs nothing else: no network, no script, no second file.

    page = Page("Audit of ham10000", synthetic=index.is_synthetic, lead="82 checks, 2 of them fired.")
    page.heading("Duplicates")
    page.paragraph("Two files with the same bytes under different ids.")
    page.table(["id", "also", "distance"], rows)
    page.picture(sheet, alt="the pairs side by side", caption="Left the first, right the second.")
    write_file(out / "index.html", page.to_html())

Everything that is handed in is escaped; `…` in running text becomes code. Equal input gives equal bytes.
"""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from edge_melanoma.notice import NOTICE, SYNTHETIC_BANNER

Tone = Literal["info", "pass", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Share:
    """A table cell for a share of 1: a per cent figure, with a bar behind it on the page."""

    value: float

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} %"


Cell = str | int | float | Share | None
_NUMBER = re.compile(r"[<>≤≥≈+−-]?[\d.,]+(e[+-]?\d+)?(–[\d.,]+)? ?%?( ?\(.*\d.*\))?")
_MISSING = {"", "–", "—"}


class Page:
    """A page under construction: the methods append, `to_html` gives the whole."""

    def __init__(self, title: str, *, synthetic: bool, lead: str = "") -> None:
        self.title = title
        self.synthetic = synthetic
        self.lead = lead
        self._body: list[str] = []
        self._contents: list[tuple[str, str]] = []  # (anchor, text) of the headings of level 2

    def heading(self, text: str, level: Literal[2, 3] = 2) -> None:
        """A heading; those of level 2 make the table of contents."""
        anchor = ""
        if level == 2:
            name = f"{len(self._contents) + 1}-" + (re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "section")
            self._contents.append((name, text))
            anchor = f' id="{name}"'
        self._body.append(f"<h{level}{anchor}>{_inline(text)}</h{level}>")

    def paragraph(self, text: str) -> None:
        """Running text."""
        self._body.append(f"<p>{_inline(text)}</p>")

    def note(self, text: str, *, tone: Tone = "info") -> None:
        """A remark that must not be overlooked; its tone is also told in words."""
        word = {"info": "Note", "pass": "Pass", "warn": "Warning", "fail": "Fail"}[tone]
        self._body.append(f'<p class="note {tone}"><strong>{word}.</strong> {_inline(text)}</p>')

    def items(self, texts: Sequence[str]) -> None:
        """A list."""
        self._body.append("<ul>" + "".join(f"<li>{_inline(text)}</li>" for text in texts) + "</ul>")

    def figures(self, figures: Sequence[tuple[str, str]]) -> None:
        """The few numbers to see first: (number, what it counts)."""
        tiles = "".join(f"<div><dd>{_text(n)}</dd><dt>{_inline(what)}</dt></div>" for n, what in figures)
        self._body.append(f'<dl class="figures">{tiles}</dl>')

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[Cell]], *, caption: str = "") -> None:
        """A table; columns of numbers are set flush right."""
        right = _numeric_columns(headers, rows)
        head = "".join(
            f'<th scope="col"{_right(r)}>{_inline(name)}</th>' for name, r in zip(headers, right, strict=True)
        )
        body = "".join(
            "<tr>" + "".join(_td(cell, r) for cell, r in zip(row, right, strict=True)) + "</tr>\n" for row in rows
        )
        title = f"<caption>{_inline(caption)}</caption>" if caption else ""
        self._body.append(
            f'<div class="scroll" tabindex="0"><table>{title}<thead><tr>{head}</tr></thead>\n'
            f"<tbody>{body}</tbody></table></div>"
        )

    def picture(self, picture: bytes | Image.Image, *, alt: str, caption: str = "", wide: bool = False) -> None:
        """A photograph or a sheet of them (PNG or JPEG bytes, or a PIL image); `wide` scrolls on a phone."""
        self._figure(picture, alt=alt, caption=caption, kind="wide" if wide else "photo")

    def plot(self, png: bytes, *, alt: str, caption: str = "") -> None:
        """A drawing on a transparent ground, as `plots` makes them; a dark page shows it light on dark."""
        self._figure(png, alt=alt, caption=caption, kind="plot")

    def _figure(self, picture: bytes | Image.Image, *, alt: str, caption: str, kind: str) -> None:
        kind_of_data, data, (width, height) = _encoded(picture)
        url = f"data:image/{kind_of_data};base64,{base64.b64encode(data).decode()}"
        text = f"<figcaption>{_inline(caption)}</figcaption>" if caption else ""
        if kind == "plot":  # drawn with two device pixels for a CSS pixel
            width, height = width // 2, height // 2
        self._body.append(
            f'<figure class="{kind}"><div class="scroll"><img src="{url}" alt="{_text(alt)}" '
            f'width="{width}" height="{height}"></div>{text}</figure>'
        )

    def code(self, text: str) -> None:
        """Commands or file content, as they are."""
        self._body.append(f'<pre tabindex="0"><code>{_text(text)}</code></pre>')

    @contextmanager
    def details(self, summary: str) -> Iterator[None]:
        """What only some readers want: folded away on the screen, unfolded in print."""
        self._body.append(f'<details><summary>{_inline(summary)}</summary><div class="folded">')
        yield
        self._body.append("</div></details>")

    @contextmanager
    def columns(self, *, width_rem: int = 26) -> Iterator[None]:
        """What is appended inside stands side by side where there is room for columns of that width."""
        self._body.append(f'<div class="columns" style="--width:{width_rem}rem">')
        yield
        self._body.append("</div>")

    def to_html(self) -> str:
        """The page."""
        banner = f'<p class="synthetic" role="note">{SYNTHETIC_BANNER}</p>' if self.synthetic else ""
        lead = f'<p class="lead">{_inline(self.lead)}</p>' if self.lead else ""
        links = "".join(f'<li><a href="#{anchor}">{_inline(text)}</a></li>' for anchor, text in self._contents)
        contents = f'<nav aria-label="Contents"><ol>{links}</ol></nav>' if len(self._contents) > 2 else ""
        body = "\n".join(self._body)
        return (
            f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{_META}'
            f"<title>{_text(self.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{banner}\n"
            f"<header><h1>{_inline(self.title)}</h1>{lead}</header>\n{contents}\n<main>\n{body}\n</main>\n"
            f"<footer><p>{_text(NOTICE)}</p></footer>\n</body>\n</html>\n"
        )


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A GitHub-flavoured table, its columns padded so that it reads as plain text too."""
    right = _numeric_columns(headers, rows)
    lines = [[_markdown(name) for name in headers], *([_markdown(_shown(cell)) for cell in row] for row in rows)]
    widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
    padded = [
        [text.rjust(w) if r else text.ljust(w) for text, w, r in zip(line, widths, right, strict=True)]
        for line in lines
    ]
    rule = ["-" * (w - 1) + ":" if r else "-" * w for w, r in zip(widths, right, strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (padded[0], rule, *padded[1:])) + "\n"


def _markdown(text: str) -> str:
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").split())


def _shown(cell: Cell) -> str:
    if cell is None or (isinstance(cell, float) and cell != cell):
        return "–"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if 1000 <= abs(cell) < 1e15 else f"{cell:.4g}"
    return str(cell)


def _numeric_columns(headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[bool]:
    columns = [[_shown(row[i]) for row in rows] for i in range(len(headers))]
    present = [[text for text in column if text not in _MISSING] for column in columns]
    return [bool(column) and all(_NUMBER.fullmatch(text) for text in column) for column in present]


def _right(is_number: bool) -> str:
    return ' class="n"' if is_number else ""


def _td(cell: Cell, is_number: bool) -> str:
    if isinstance(cell, Share):
        return f'<td class="n share" style="--share:{100 * min(max(cell.value, 0), 1):.1f}%">{cell}</td>'
    return f"<td{_right(is_number)}>{_inline(_shown(cell))}</td>"


def _text(text: str) -> str:
    return html.escape(text, quote=True)


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", _text(text))


def _encoded(picture: bytes | Image.Image) -> tuple[str, bytes, tuple[int, int]]:
    """The kind of data, the data and the size; a PIL image is written anew, without EXIF, comments or profiles."""
    if isinstance(picture, bytes):
        with Image.open(io.BytesIO(picture)) as opened:
            if opened.format in ("PNG", "JPEG"):
                return opened.format.lower(), picture, opened.size
            picture = opened.copy()
    bare = Image.new("RGB", picture.size, "white")
    bare.paste(picture.convert("RGB"), mask=picture.convert("RGBA").getchannel("A"))
    buffer = io.BytesIO()
    bare.save(buffer, "JPEG", quality=88, optimize=True)
    return "jpeg", buffer.getvalue(), bare.size


# default-src 'none' makes the browser itself hold the promise of the first line of this file
_META = """<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="edge-melanoma">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
"""

_STYLE = """
:root { --ground: #fdfdfb; --card: #f4f4f0; --ink: #1c2024; --soft: #59616b; --line: #dfe1e4; --accent: #0a5a8a;
  --bar: #cfe3f0; --pass: #1c7a4d; --warn: #a15c00; --fail: #b3261e; --shout: #7a3e00 }
@media (prefers-color-scheme: dark) { :root { --ground: #14171a; --card: #1d2125; --ink: #e4e7ea; --soft: #9ba4ae;
  --line: #31373d; --accent: #7cc0ea; --bar: #23455a; --pass: #63c795; --warn: #e5a64b; --fail: #f28b82 } }
* { box-sizing: border-box }
html { background: var(--ground); color: var(--ink); -webkit-text-size-adjust: 100%; scroll-padding-top: 3.5rem;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif }
body { max-width: 66rem; margin: 0 auto; padding: 0 1.25rem 3rem }
header { padding-top: 2.2rem }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .5rem; letter-spacing: -.015em; overflow-wrap: anywhere }
h2 { font-size: 1.35rem; line-height: 1.25; margin: 3rem 0 .6rem; padding-top: 1rem; border-top: 1px solid var(--line) }
h3 { font-size: 1.05rem; margin: 1.8rem 0 .4rem }
p, li { max-width: 46rem }
p { margin: .5rem 0 1rem }
.lead { font-size: 1.12rem; color: var(--soft) }
a { color: var(--accent) }
code, pre { font: .88em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace }
code { background: var(--card); padding: .1em .3em; border-radius: .25em; overflow-wrap: anywhere }
pre { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem;
  overflow-x: auto }
pre code { background: none; padding: 0 }
nav ol { display: flex; flex-wrap: wrap; gap: .2rem 1.4rem; list-style: none; padding: 0; margin: 1.2rem 0 0 }
.synthetic { position: sticky; top: 0; z-index: 1; max-width: none; margin: 0 -1.25rem; padding: .45rem 1.25rem;
  background: var(--shout); color: #fff; font-weight: 600; letter-spacing: .03em; text-align: center }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .8rem; margin: 1.4rem 0 }
.figures div { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .7rem .9rem }
.figures dd { margin: 0; font-size: 1.55rem; font-weight: 600; line-height: 1.25; font-variant-numeric: tabular-nums }
.figures dt { color: var(--soft); font-size: .88rem; line-height: 1.35 }
.scroll { overflow-x: auto }
table { border-collapse: collapse; margin: .8rem 0 1.2rem; font-size: .92rem; line-height: 1.4;
  font-variant-numeric: tabular-nums }
caption { text-align: left; color: var(--soft); padding-bottom: .4rem }
th, td { text-align: left; vertical-align: top; padding: .32rem .75rem .32rem .4rem;
  border-bottom: 1px solid var(--line) }
th { vertical-align: bottom; font-weight: 600; border-bottom: 2px solid var(--line) }
.n { text-align: right; white-space: nowrap } td code { white-space: nowrap }
.share { min-width: 5.5rem; background: linear-gradient(var(--bar), var(--bar)) left / var(--share) 100% no-repeat }
figure { margin: 1rem 0 1.4rem }
figure img { display: block; max-width: 100%; height: auto }
.photo img, .wide img { border-radius: .5rem }
.wide img { min-width: min(100%, 44rem) }
figcaption { color: var(--soft); font-size: .9rem; max-width: 46rem; margin-top: .45rem }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, var(--width)), 1fr)); gap: 0 2rem }
.columns > * { min-width: 0 }
.note { border-left: .3rem solid var(--accent); background: var(--card); border-radius: .3rem; padding: .6rem .9rem }
.note.pass { border-color: var(--pass) } .note.warn { border-color: var(--warn) }
.note.fail { border-color: var(--fail) }
.pass strong { color: var(--pass) } .warn strong { color: var(--warn) } .fail strong { color: var(--fail) }
details { margin: .6rem 0 1.2rem }
summary { cursor: pointer; color: var(--accent) }
footer { margin-top: 3.5rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .88rem }
@media screen and (prefers-color-scheme: dark) { .plot img { filter: invert(1) hue-rotate(180deg) } }
@media (min-width: 40rem) { caption { white-space: nowrap } }
@media (max-width: 40rem) { .wide img { min-width: 44rem } h1 { font-size: 1.55rem } }
@media print { :root { --ground: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --accent: #000;
    --bar: #ddd; --pass: #000; --warn: #000; --fail: #000 }
  body { max-width: none } html { font-size: 10pt } nav { display: none } .scroll { overflow: visible }
  .wide img { min-width: 0 } .synthetic { position: static; border: 2px solid #000; background: #fff; color: #000 }
  h2, h3 { break-after: avoid } figure, tr, .figures div { break-inside: avoid }
  details::details-content { content-visibility: visible; block-size: auto } * { print-color-adjust: exact } }
"""
