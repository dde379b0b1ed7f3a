"""transformers as the towers use it: without its progress bars and reports, and nothing cut off in silence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mimica.errors import UsageError


@contextmanager
def quiet() -> Iterator[None]:
    """The library's progress bar and load report off, then as they were: a part that is not used is no news."""
    from transformers.utils import logging as library

    logging: Any = library
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def tokens(tokenizer: Any, sentences: Sequence[str], *, longest: int, beside: int = 0) -> list[list[int]]:
    """The numbers of each sentence's tokens, with the marks of its start and end.

    Raises UsageError for a sentence that has no room in `longest` places `beside` so many prompts.
    """
    read: list[list[int]] = tokenizer(list(sentences), verbose=False)["input_ids"]
    for sentence, ids in zip(sentences, read, strict=True):
        if len(ids) + beside > longest:
            raise UsageError(
                f"'{sentence[:60]}' has {len(ids) - 2} tokens, but beside {beside} prompts {longest - 2 - beside} fit; "
                "shorten it"
            )
    return read
