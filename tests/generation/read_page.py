"""A page as one reads it: its cards by their headings, the rows of their tables, pictures, the figures it draws."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

_VOID = {"meta", "img", "br"}


@dataclass
class Card:
    """A part of a page: all its words, and the cells of its tables' rows."""

    words: str = ""
    rows: list[list[str]] = field(default_factory=list)


class Page(HTMLParser):
    """Everything on a page; what stands above the first card is the card ''. Fails where elements are not nested."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = path.read_text(encoding="utf-8")
        self.cards: dict[str, Card] = {"": Card()}
        self.images: list[dict[str, str]] = []
        self.styles: list[str] = []
        self.ids: list[str] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self._heading: str | None = None
        self.feed(self.text)
        assert self.open == []
        self.cards = {name: Card(" ".join(card.words.split()), card.rows) for name, card in self.cards.items()}

    @property
    def figures(self) -> dict[str, Any]:
        """The figures by the ids of their places, as a browser reads them: JSON without NaN."""

        def refuse(name: str) -> Any:
            raise AssertionError(f"{name} is no JSON")

        return json.loads(self.scripts[0], parse_constant=refuse)

    @property
    def card(self) -> Card:
        return list(self.cards.values())[-1]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.styles.append(given.get("style", ""))
        self.ids += [given["id"]] if "id" in given else []
        if tag == "img":
            self.images.append(given)
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "h2":
            self._heading = ""
        if tag == "tr":
            self.card.rows.append([])
        if tag in ("td", "th"):
            self.card.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "h2" and self._heading is not None:
            self.cards[self._heading], self._heading = Card(), None

    def handle_data(self, data: str) -> None:
        if "script" in self.open:
            self.scripts.append(data)
        elif self._heading is not None:
            self._heading += data
        elif "style" not in self.open:
            self.card.words += f" {data}"
            if {"td", "th"} & set(self.open):
                self.card.rows[-1][-1] = " ".join(f"{self.card.rows[-1][-1]} {data}".split())
