"""What all pages share."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib import resources


def page_style() -> str:
    """The style sheet of every page that is written: light or dark as the reader's own machine has it."""
    return resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")


def definitions(facts: Mapping[str, object]) -> str:
    """Facts as a list of terms and what they are, inner ones nested; nothing where there are none."""
    items = "".join(f"<dt>{escape(str(k).replace('_', ' '))}</dt><dd>{_value(v)}</dd>" for k, v in facts.items())
    return f"<dl>{items}</dl>" if items else ""


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return definitions(value) or "–"
    if isinstance(value, (list, tuple)):
        return escape(", ".join(map(str, value))) or "–"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    return escape(f"{value:.4g}" if isinstance(value, float) else str(value))
