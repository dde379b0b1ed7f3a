"""What a user names, made into a list of videos, pictures, folders of frames and cameras."""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mimica import assets
from mimica.errors import InputError, MimicaError

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
"""File endings that are read as one picture."""

VIDEOS = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".3gp",
     ".wmv", ".flv", ".ogv"}
)  # fmt: skip
"""File endings that are read as a video."""

CAMERA = "camera:"

_CLUTTER = frozenset({"thumbs.db", "desktop.ini"})


def is_media(path: str | Path) -> bool:
    """Whether a file's ending says that it is a video or a picture; the file itself is not opened."""
    return Path(path).suffix.lower() in PICTURES | VIDEOS


def is_camera(source: str | Path) -> bool:
    """Whether a source names a camera, as in `camera:0`."""
    return str(source).lower().startswith(CAMERA)


def natural(path: str | Path) -> list[tuple[int, int, str]]:
    """A sort key that counts as people do: `frame_2` before `frame_10`, whatever the case of the letters."""
    text = str(path)
    # Without a file's ending, so that `clip.mp4` comes before `clip1.mp4`.
    stem = text[: text.rindex(".")] if is_media(path) else text
    parts = enumerate(re.split(r"([0-9]+)", stem))
    key = [(1, int(part), "") if place % 2 else (2, 0, part.lower()) for place, part in parts if part]
    return [*key, (0, 0, text)]


def listed(folder: Path) -> list[Path]:
    """The files directly in a folder, in natural order, without hidden ones and the clutter of file managers."""
    try:
        inside = [p for p in folder.iterdir() if p.is_file()]
    except OSError as error:
        raise InputError(f"cannot look into the folder {folder}: {error.strerror}") from None
    return sorted((p for p in inside if not p.name.startswith(".") and p.name.lower() not in _CLUTTER), key=natural)


def numbered(files: list[Path]) -> bool:
    """Whether files are the frames of one video: pictures of one kind whose names differ only in one number."""
    if not files or any(p.suffix.lower() not in PICTURES for p in files):
        return False
    if len({p.suffix.lower() for p in files}) > 1:
        return False
    names = [re.split(r"([0-9]+)", p.stem) for p in files]
    # Every second part is a run of digits: the words between must agree, the runs in all places but one.
    if len({len(parts) for parts in names}) > 1 or len({tuple(parts[::2]) for parts in names}) > 1:
        return False
    varying = sum(len(set(column)) > 1 for column in zip(*(parts[1::2] for parts in names), strict=True))
    return varying == 1 if len(files) > 1 else len(names[0]) > 1


def pictures_of(folder: Path) -> list[Path]:
    """The pictures of a folder that is one video, in order. Raises InputError for any other folder."""
    files = listed(folder)
    if not files:
        raise InputError(f"the folder {folder} is empty; a clip needs at least one frame")
    if not numbered(files):
        raise InputError(
            f"the folder {folder} is not one video: it should hold nothing but pictures of one kind whose names "
            f"differ only in a number, such as frame_0001.jpg"
        )
    return files


def expand(sources: Iterable[str]) -> list[str]:
    """Files, folders, globs and cameras as the list of sources that they mean, each once, in natural order.

    A folder is one source if it holds two or more numbered pictures and nothing else; otherwise every
    video and picture directly in it is a source. A glob stands for the media files and folders that it
    matches. Raises InputError for a path or a glob that leads to nothing.
    """
    found: dict[str, str] = {}
    for source in sources:
        for one in _meant(str(source)):
            found.setdefault(one if is_camera(one) else str(Path(one).resolve()), one)
    return list(found.values())


def _meant(source: str) -> list[str]:
    if is_camera(source):
        return [source]
    path = Path(source).expanduser()
    if path.is_dir():
        return _of_folder(path) or _nothing_in(path)
    if path.exists():
        return [str(path)]
    if not glob.has_magic(source):
        raise InputError(f"there is no file or folder {source}; looked for {path.absolute()}")
    matches = [Path(p) for p in sorted(glob.glob(str(path), recursive=True), key=natural)]
    kept = [one for p in matches for one in (_of_folder(p) if p.is_dir() else [str(p)] * is_media(p))]
    if not kept:
        matched = f"only {len(matches)} that are neither video nor picture" if matches else "nothing"
        raise InputError(f"the pattern {source} matches {matched}; looked in {Path.cwd()}")
    return kept


def _of_folder(folder: Path) -> list[str]:
    files = listed(folder)
    if len(files) > 1 and numbered(files):
        return [str(folder)]
    return [str(p) for p in files if is_media(p)]


def _nothing_in(folder: Path) -> list[str]:
    raise InputError(
        f"the folder {folder} holds no video or picture; folders inside it are searched with a pattern such as "
        f"'{folder / '*'}'"
    )


def resolve(sources: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each source to read, with an empty error, or what was asked for with the error it gives.

    Globs and folders become what they hold; `asset:NAME` a file of that asset.
    """
    told = set()
    for asked in sources:
        try:
            meant = [str(assets.named(asked))] if asked.startswith("asset:") else expand([asked])
            found = [(source, "") for source in meant]
        except MimicaError as error:
            found = [(asked, str(error))]
        for source, error_ in found:
            which = source if error_ or is_camera(source) else str(Path(source).resolve())
            if which not in told:
                told.add(which)
                yield (source, error_) if _is_text(source) else _named_in_bytes(source)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _named_in_bytes(source: str) -> tuple[str, str]:
    """How a file is told of whose name, from an old system, no table could hold."""
    shown = source.encode(errors="replace").decode()
    return shown, f"the name of {shown} is not text in UTF-8; rename it"


def key(source: str) -> str:
    """What a source is remembered by: its path, in full."""
    return str(Path(source).absolute())


def stamp(source: str) -> str:
    """What changes when a source does: of size and time of change of a file, or of all files of a folder."""
    path = Path(source)
    files = sorted(path.iterdir()) if path.is_dir() else [path] if path.exists() else []
    stamps = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    return hashlib.sha256(str(stamps).encode()).hexdigest()[:16]
