"""Which label each source has that faces are cut out of: by a table of sources, or by the folders they lie in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mimica.data.table import read_rows
from mimica.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """The class of a source, in the words of whoever gave it, and the part of the data that it belongs to."""

    label: str
    part: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Labels from a table, if `file` is given, from the names of folders if `by_folder`, or none.

    The table, CSV or Parquet, has the columns `source` and `label`, and perhaps `part`. A source is a path, from the
    table's own folder or from here, or a file's name with or without its ending, if only one source is called so.
    Raises InputError where the table is not of that form.
    """

    file: Path | None = None
    by_folder: bool = False
    rows: tuple[Mapping[str, str], ...] = field(init=False)

    def __post_init__(self) -> None:
        rows: tuple[Mapping[str, str], ...] = ()
        if self.file is not None:
            columns, read = read_rows(self.file, ("source", "label", "part"))
            for column in ("source", "label"):
                if column not in columns:
                    raise InputError(f"{self.file} has no column '{column}'; it has {', '.join(columns) or 'nothing'}")
            rows = tuple(read)
        object.__setattr__(self, "rows", rows)

    def of(self, sources: Sequence[str]) -> tuple[dict[str, Label], list[str]]:
        """The label of each source that has one, and what the table names that is none of these sources.

        Raises InputError where one name is that of two sources, or one source has two labels.
        """
        labels = {source: Label(label=_folder(source)) for source in sources} if self.by_folder else {}
        called, strangers = _called(sources), []
        given: dict[str, Label] = {}
        for number, row in enumerate(self.rows, start=2):
            source = self._meant(number, row["source"], called)
            label = Label(label=row["label"].strip(), part=row["part"].strip())
            if source is None:
                strangers.append(row["source"])
            elif given.setdefault(source, label) != label:
                raise InputError(f"{self.file}, row {number}: {source} has another label or part in an earlier row")
        for source, label in given.items():
            folder = labels.get(source, label)
            labels[source] = Label(label=label.label or folder.label, part=label.part)
        return labels, strangers

    def _meant(self, number: int, asked: str, called: Mapping[str, Sequence[str]]) -> str | None:
        """The source that a row speaks of, if it is one of these."""
        assert self.file is not None
        for path in (self.file.parent / asked, Path(asked)):
            if found := called.get(str(path.resolve())):
                return found[0]
        found = called.get(asked, ())
        if len(found) > 1:
            raise InputError(
                f"{self.file}, row {number}: {len(found)} sources are called {asked}, {found[0]} among them; "
                "write the path of the one that is meant"
            )
        return found[0] if found else None


def _folder(source: str) -> str:
    return Path(source).resolve().parent.name


def _called(sources: Sequence[str]) -> dict[str, list[str]]:
    """The sources by whole path, by file name, and by file name without its ending."""
    called: defaultdict[str, list[str]] = defaultdict(list)
    for source in sources:
        path = Path(source).resolve()
        for name in {str(path), path.name, path.stem}:
            called[name].append(source)
    return called
