"""What pictures of results have in common: their endings, their look, and being written whole."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mimica.errors import InputError, MissingExtra, UsageError, unknown

ENDINGS = (".png", ".svg", ".pdf")
"""The endings of a picture that can be drawn."""

DPI = 100
INK, PALE, LINE = "#1c2024", "#5e646a", "#c9ced5"
"""Of words, of what stands behind them, of rules."""

_SCRIPTS = (
    "Noto Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans JP", "Noto Sans SC", "Noto Sans Arabic",
    "Noto Sans Devanagari", "WenQuanYi Micro Hei", "Droid Sans Fallback", "Arial Unicode MS", "Hiragino Sans",
    "PingFang SC", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Nirmala UI",
)  # fmt: skip
"""Fonts that have letters which the usual one lacks; those that are here are asked after it."""


def check(path: Path, source: str = "") -> str:
    """The kind of picture that a path asks for: png, svg or pdf.

    Raises UsageError for another ending and for a place inside of `source`, MissingExtra without matplotlib.
    """
    if path.suffix.lower() not in ENDINGS:
        raise unknown("ending of a picture", path.suffix, ENDINGS)
    if source and Path(source).resolve() in (path.resolve(), path.resolve().parent):
        raise UsageError(f"{path} would change {source}, which is read; choose another place with --out")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingExtra("matplotlib", "train") from None
    return path.suffix.lower().removeprefix(".")


def save(path: Path, drawn: Callable[[], Any], *, flag: str = "--out") -> None:
    """Write what `drawn` gives, a figure of matplotlib, as PNG, SVG or PDF by the ending of the path.

    The same figure gives the same bytes. Raises UsageError for another ending, MissingExtra without
    matplotlib, InputError where it cannot be written.
    """
    kind = check(path)
    part = path.with_name(f".{path.name}.part")
    undated = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
    with style():
        figure = drawn()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(part, format=kind, dpi=DPI, metadata=undated)
            part.replace(path)
        except OSError as error:
            why = error.strerror or error
            raise InputError(f"cannot write {path}: {why}; choose another place with {flag}") from None
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)


@contextmanager
def style() -> Iterator[None]:
    """The same look wherever it is drawn, whatever the user's own settings of matplotlib are."""
    import matplotlib
    from matplotlib import font_manager

    here = set(font_manager.get_font_names())
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({
            "font.family": ["DejaVu Sans", *(name for name in _SCRIPTS if name in here)],
            "text.parse_math": False, "svg.hashsalt": "mimica", "pdf.fonttype": 42, "image.composite_image": False,
        })  # fmt: skip
        yield
