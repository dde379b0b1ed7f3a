"""Files and folders that are there whole or not at all, whatever happens to the program."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A place beside `path` to write to, which becomes `path` once all went well."""
    beside = path.with_name(f".{path.name}.part")
    yield beside
    os.replace(beside, path)
