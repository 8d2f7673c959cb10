"""The page must stand alone, say what it must say, and never let data become markup."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from edge_melanoma.notice import NOTICE, SYNTHETIC_BANNER
from edge_melanoma.report import Page, Share, markdown_table

HOSTILE = "<script>alert('x')</script> & \"quotes\" | pipe"
_VOID = {"meta", "img", "br"}


class _Reader(HTMLParser):
    """An independent reader: the text, the tags, and whether every tag is closed in order."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(markup)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def _full_page(*, synthetic: bool = False) -> Page:
    page = Page(HOSTILE, synthetic=synthetic, lead=HOSTILE)
    for heading in ("One", "Two", "Three"):
        page.heading(heading)
    page.heading(HOSTILE, level=3)
    page.paragraph(HOSTILE)
    page.note(HOSTILE, tone="fail")
    page.items([HOSTILE])
    page.figures([(HOSTILE, HOSTILE)])
    page.table([HOSTILE, "n", "share"], [[HOSTILE, 12345, Share(0.395)], [None, None, None]], caption=HOSTILE)
    with page.details(HOSTILE), page.columns():
        page.picture(Image.new("RGB", (8, 6), "red"), alt=HOSTILE, caption=HOSTILE)
        page.plot(_png(), alt=HOSTILE, caption=HOSTILE)
        page.code(HOSTILE)
    return page


def _png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def test_every_text_is_escaped_and_every_tag_closed() -> None:
    page = _Reader(_full_page().to_html())
    assert not [tag for tag, _ in page.tags if tag == "script"]
    assert page.text.count(HOSTILE) == 16
    assert [attrs["alt"] for tag, attrs in page.tags if tag == "img"] == [HOSTILE, HOSTILE]


def test_the_page_refers_to_nothing_outside_itself() -> None:
    markup = _full_page().to_html()
    for _, attrs in _Reader(markup).tags:
        for name in ("src", "href"):
            assert re.match(r"data:image/(png|jpeg);base64,|#", attrs.get(name) or "#")
    assert "url(" not in markup
    assert "@import" not in markup
    assert "://" not in markup


def test_the_notice_is_always_there_and_the_banner_only_when_synthetic() -> None:
    real, synthetic = (_Reader(_full_page(synthetic=s).to_html()).text for s in (False, True))
    assert NOTICE in real
    assert NOTICE in synthetic
    assert SYNTHETIC_BANNER in synthetic
    assert SYNTHETIC_BANNER not in real


def test_equal_input_gives_equal_bytes() -> None:
    assert _full_page().to_html() == _full_page().to_html()


def test_links_of_the_contents_lead_to_headings_even_of_equal_names() -> None:
    page = Page("t", synthetic=False)
    for _ in range(3):
        page.heading("Größe / size?")
    tags = _Reader(page.to_html()).tags
    anchors = [attrs["id"] for tag, attrs in tags if tag == "h2"]
    assert len(set(anchors)) == 3
    assert [attrs["href"] for tag, attrs in tags if tag == "a"] == [f"#{anchor}" for anchor in anchors]


def test_a_picture_leaves_its_exif_and_comment_behind() -> None:
    exif = Image.Exif()
    exif[0x010E] = "name of a patient"
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), "tan").save(buffer, "JPEG", exif=exif, comment="name of a patient")
    with Image.open(buffer) as picture:
        page = Page("t", synthetic=False)
        page.picture(picture, alt="a picture")
    (source,) = (attrs["src"] for tag, attrs in _Reader(page.to_html()).tags if tag == "img")
    data = base64.b64decode((source or "").partition(",")[2])
    assert b"patient" not in data
    with Image.open(io.BytesIO(data)) as kept:
        assert kept.size == (32, 32)


@pytest.mark.parametrize(
    ("cells", "is_number"),
    [
        ([1, 2.5, None], True),
        (["0.807 (0.794–0.820)", "–"], True),
        ([Share(0.1), "12 %"], True),
        (["12", "HAM_1"], False),
        ([None, "–"], False),
    ],
)
def test_columns_of_numbers_are_flush_right(cells: list[str | int | float | None], is_number: bool) -> None:
    page = Page("t", synthetic=False)
    page.table(["value"], [[cell] for cell in cells])
    (head,) = (attrs for tag, attrs in _Reader(page.to_html()).tags if tag == "th")
    assert (head.get("class") == "n") is is_number


def test_a_markdown_table_survives_pipes_and_line_breaks() -> None:
    lines = markdown_table(["name", "n"], [["a|b\nc", 12345], [12345.6, 0.25]]).splitlines()
    assert lines == [
        "| name   |      n |",
        "| ------ | -----: |",
        "| a\\|b c | 12,345 |",
        "| 12,346 |   0.25 |",
    ]
