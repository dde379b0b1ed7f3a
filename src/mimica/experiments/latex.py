"""What a paper's table asks of text that is to stand in it."""

from __future__ import annotations

_SIGNS = frozenset("&%_#$")


def escaped(text: str) -> str:
    r"""The text as LaTeX prints it, signs that mean something to it escaped.

    >>> print(escaped("no_HTPC & 5 %"))
    no\_HTPC \& 5 \%
    """
    return "".join(f"\\{sign}" if sign in _SIGNS else sign for sign in text)
