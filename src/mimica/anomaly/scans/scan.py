"""What lies on disk of parts: a scan for each, listed at once and read when it is asked for, and where it lies.

A tree of scans is `category/split/defect/`, as MVTec's data sets have it; any folder of a tree may be named, and
a folder without such folders in it is one category of its own, of no split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mimica.anomaly.samples import Sample
from mimica.errors import InputError, unknown

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = {
    "train": TRAIN, "validation": VALIDATION, "val": VALIDATION, "test": TEST, "test_public": TEST,
    "test_private": TEST,
}  # fmt: skip
"""What folders are called that hold a split, and which one it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One part on disk, not read yet.

    `name` tells it from all others of its source; `split` is train, validation, test, or None in a folder without
    splits; `defect` as of a Sample. `files` are those there are of all that reading it takes.
    """

    name: str
    category: str
    split: str | None = None
    defect: str | None = None
    files: tuple[Path, ...]
    load: Callable[[], Sample] = field(repr=False, compare=False)

    def read(self) -> Sample:
        """The part itself. Raises InputError, with the file and how to mend it, for whatever is wrong with it."""
        try:
            return self.load()
        except OSError as error:
            raise InputError(f"{self.name}: cannot read {error.filename or self.files[0]}: {error.strerror}") from None
        except MemoryError:
            raise InputError(f"{self.name}: it is too large for the memory that there is") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """All scans of one place: what there is, by category and split, before anything is read."""

    name: str
    scans: tuple[Scan, ...]

    @property
    def categories(self) -> tuple[str, ...]:
        """The kinds of part, in the order of their names."""
        return tuple(sorted({scan.category for scan in self.scans}))

    @property
    def splits(self) -> tuple[str, ...]:
        """Which of train, validation and test there are; none in a folder without splits."""
        there = {scan.split for scan in self.scans}
        return tuple(split for split in (TRAIN, VALIDATION, TEST) if split in there)

    def chosen(self, category: str | None = None, split: str | None = None) -> tuple[Scan, ...]:
        """The scans of a category, of a split, or of both, in the order of their names.

        Raises UsageError for a category or a split that is not there.
        """
        if category is not None and category not in self.categories:
            raise unknown("category", category, self.categories)
        if split is not None and split not in self.splits:
            raise unknown(f"split of {self.name}", split, self.splits)
        return tuple(s for s in self.scans if category in (None, s.category) and split in (None, s.split))


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A folder of scans that are of one category, split and defect."""

    folder: Path
    category: str
    split: str | None = None
    defect: str | None = None

    def named(self, stem: str) -> str:
        """The name of one of its scans."""
        return "/".join(word for word in (self.category, self.split, self.defect, stem) if word)


def leaves(path: Path) -> Iterator[Leaf]:
    """The folders that hold scans, below a folder or of it, in the order of their names.

    Raises InputError where there is no such folder.
    """
    if not path.is_dir():
        raise InputError(f"{path} is not a folder; give the folder that holds the scans")
    path = path.resolve()
    if categories := [folder for folder in (path, *_folders(path)) if _is_category(folder)]:
        for split in (split for folder in categories for split in _folders(folder)):
            if split.name in SPLITS:
                yield from _of_split(split)
    # A folder of another tree may be called test as well: only beside train it is a split.
    elif path.name in SPLITS and (path.parent / TRAIN).is_dir():
        yield from _of_split(path)
    elif path.parent.name in SPLITS and (path.parent.parent / TRAIN).is_dir():
        above = path.parent
        yield Leaf(folder=path, category=above.parent.name, split=SPLITS[above.name], defect=path.name)
    else:
        yield Leaf(folder=path, category=path.name)


def _of_split(path: Path) -> Iterator[Leaf]:
    for folder in _folders(path):
        yield Leaf(folder=folder, category=path.parent.name, split=SPLITS[path.name], defect=folder.name)


def _is_category(path: Path) -> bool:
    return any(folder.name in SPLITS for folder in _folders(path))


def _folders(path: Path) -> list[Path]:
    return sorted(one for one in path.iterdir() if one.is_dir() and not one.name.startswith("."))


View = tuple[str, tuple[str, ...]]
"""A folder inside of a leaf, empty for the leaf itself, and the endings of what is read of it."""


def paired(leaf: Leaf, views: Mapping[str, View]) -> dict[str, dict[str, list[Path]]]:
    """The files of each scan by its name without ending, in all views: {stem: {view: [files]}}, sorted by stem.

    A scan is there if any view has it; what others lack, or have twice, is an empty list or a longer one.
    """
    found: dict[str, dict[str, list[Path]]] = {}
    for view, (inside, endings) in views.items():
        folder = leaf.folder / inside
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.suffix.lower() in endings and not path.name.startswith("."):
                found.setdefault(path.stem, {name: [] for name in views})[view].append(path)
    return dict(sorted(found.items()))


def only(name: str, view: str, files: list[Path], leaf: Leaf, views: Mapping[str, View]) -> Path:
    """The one file of a view of a scan. Raises InputError where it is missing or not the only one."""
    inside, endings = views[view]
    if len(files) > 1:
        raise InputError(f"{name}: {files[0]} and {files[1].name} have one name; keep one of them")
    if not files:
        raise InputError(
            f"{name}: {leaf.folder / inside} has no file of that name ({' or '.join(endings)}); every scan needs one"
        )
    return files[0]
