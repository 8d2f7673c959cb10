"""A card as Markdown, with the header that model collections read: for the file beside a bundle, or a page about it."""

from __future__ import annotations

from edge_melanoma.bundle.card import Card
from edge_melanoma.bundle.sections import Section
from edge_melanoma.report import markdown_table

_NO_NAMES = ("", "")


def card_markdown(card: Card, *, name: str) -> str:
    """The whole card; `name` is what people call the bundle."""
    parts = [
        *("---", f"license: {card.licence.lower()}", "library_name: tflite", "pipeline_tag: image-classification"),
        *("tags: [dermoscopy, melanoma, edge-melanoma, not-a-medical-device]", "---", f"# {name}", "", card.title, ""),
        *((f"**{card.banner}**", "") if card.banner else ()),
        *(f"**{card.notice}**", ""),
    ]
    for section in card.sections:
        parts += [f"## {section.title}", "", _table(section), ""]
    return "\n".join(parts).rstrip() + "\n"


def _table(section: Section) -> str:
    return markdown_table(section.columns or _NO_NAMES, section.rows)
