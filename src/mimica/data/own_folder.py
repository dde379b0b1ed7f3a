"""A folder that a command of ours writes clips into: that nothing else lies there, and what it states of itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mimica.data.clipset import ABOUT_FILE, SPACE_FILE
from mimica.data.whole import whole
from mimica.errors import InputError, UsageError
from mimica.labels import LabelSpace


def refuse_foreign(out: Path, names: Sequence[str]) -> None:
    """Raise UsageError where one of these names is there already, in a folder that states nothing of itself."""
    if there := [name for name in names if (out / name).exists()]:
        raise UsageError(f"{out} holds a {there[0]} that is not of this command; choose another place with --out")


def state(out: Path, about: Mapping[str, Any], space: LabelSpace) -> None:
    """Make the folder, and write what it is and its classes."""
    out.mkdir(parents=True, exist_ok=True)
    for name, content in ((SPACE_FILE, space.facts()), (ABOUT_FILE, about)):
        with whole(out / name) as path:
            path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


@contextmanager
def writing(out: Path, error: type[InputError] = InputError) -> Iterator[None]:
    """While entered, what the disk refuses is an InputError of this kind, which says what to do."""
    try:
        yield
    except OSError as refused:
        reason = refused.strerror or str(refused)
        raise error(f"cannot write to {out}: {reason}; choose another place with --out") from None
