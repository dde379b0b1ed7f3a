"""The house: who may import whom, how long a file may be, what may not be named or imported.

A room is a module or package directly in `mimica`. It imports only from the floors below its own.
Imports inside functions count, and so do those for type checking alone: to name the type of an
upper floor is to know of it.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "mimica"

FLOORS = (
    {"errors", "labels", "facs", "clips", "assets", "checkpoint", "notice", "look"},
    {"video", "faces", "encoders", "metrics"},
    {"recognition", "units"},
    {"data", "training"},
    {"reading", "experiments", "generation"},
    {"cli"},
)
NEIGHBOURS = {("training", "data"), ("experiments", "generation")}
"""Who may import from whom on the same floor: training is what data is for, experiments ask what
generation brings. The ground floor is one room."""
WING, WING_MAY = "anomaly", FLOORS[0] | {"metrics"}
"""The wing on the ground floor's value objects: it sees only those, and only the command line sees it."""
ABOVE_ALL = {"__init__", "__main__"}
FREE_FOR_ALL = {"mimica:__version__"}
"""A name that the package itself holds and every room may ask for; it is there before any room."""

BANNED_IMPORTS = {"torchvision", "timm", "open_clip", "cv2", "decord", "pandas"}
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "v2"}
HEAVY = {"torch", "numpy", "av", "PIL", "scipy", "plotly", "pyarrow", "transformers", "accelerate", "sklearn", "lz4",
         "safetensors", "matplotlib", "moderngl", "tifffile", "openai", "mediapipe"}  # fmt: skip
LIGHT = {
    "errors",
    "labels",
    "facs",
    "assets",
    "checkpoint",
    "notice",
    "look.palette",
    "reading.settings",
    "generation.settings",
    "generation.loop_settings",
    "generation.lexicon",
    "recognition.registry",
    "units.registry",
}
"""Modules that are to be had at once, as are the whole command line and every package."""

LONGEST_FILE, LONGEST_FUNCTION = 400, 40
LONGER = {"src/mimica/training/loop.py:train"}
"""Functions that are truly one thing, as `path:name`: the training loop is to be read from top to bottom."""


def python_files() -> list[Path]:
    return [path for top in ("src", "tests", "benchmarks", "examples") for path in sorted((ROOT / top).rglob("*.py"))]


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = ("mimica", *path.relative_to(SOURCE).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(nodes: Iterator[ast.AST], module: str, *, package: bool) -> set[str]:
    """The absolute targets of imports: `a.b` for `import a.b`, `a.b:c` for `from a.b import c`."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.split(".")[: None if package and node.level == 1 else package - node.level]
                base = ".".join([*above, *([base] if base else [])])
            found |= {f"{base}:{alias.name}" for alias in node.names}
    return found


def rooms(targets: set[str]) -> set[str]:
    """The rooms that imports lead to; a name of the package itself stays as it is."""
    names = {room for floor in FLOORS for room in floor} | {WING}
    found = set()
    for target in targets:
        module, _, name = target.partition(":")
        first, *rest = module.split(".")
        if first == "mimica" and target not in FREE_FOR_ALL:
            found.add(rest[0] if rest else name if name in names else "mimica itself")
    return found


def may(room: str, target: str) -> bool:
    """Whether a room may import from another."""
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    if room == target or room in ABOVE_ALL:
        return True
    if room == WING:
        return target in WING_MAY
    if target == WING:
        return room == "cli"
    if target not in floor or room not in floor:
        return False
    both_ground = floor[room] == floor[target] == 0
    return both_ground or floor[target] < floor[room] or (room, target) in NEIGHBOURS


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when a module is imported: not functions, and not what is for type checking alone."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            yield from (inner for other in child.orelse for inner in (other, *at_import(other)))
            continue
        yield child
        yield from at_import(child)


@pytest.mark.parametrize("name", modules())
def test_a_room_imports_only_from_the_floors_below(name: str) -> None:
    path = modules()[name]
    room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    targets = rooms(imported(ast.walk(tree(path)), name, package=path.stem == "__init__"))
    assert {target for target in targets if not may(room, target)} == set()


def test_every_room_has_its_floor() -> None:
    there = {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in modules().values()}
    assert there <= {room for floor in FLOORS for room in floor} | ABOVE_ALL | {WING}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import mimica.cli.predict", {"cli"}),
        ("from mimica.reading.reader import Reader", {"reading"}),
        ("from mimica import assets", {"assets"}),
        ("from mimica import __version__", set()),
        ("from mimica import load", {"mimica itself"}),
        ("from . import track", {"faces"}),
        ("from .track import Tracker", {"faces"}),
        ("from ..video.read import open_video", {"video"}),
        ("def f():\n    from mimica.cli import main", {"cli"}),
        ("if TYPE_CHECKING:\n    from mimica.cli import main", {"cli"}),
        ("import numpy", set()),
    ],
)
def test_the_walk_finds_an_import_however_it_is_written(text: str, expected: set[str]) -> None:
    assert rooms(imported(ast.walk(ast.parse(text)), "mimica.faces.detect", package=False)) == expected


@pytest.mark.parametrize(
    ("room", "target", "allowed"),
    [
        ("reading", "video", True), ("video", "reading", False), ("faces", "video", False), ("training", "data", True),
        ("data", "training", False), ("labels", "errors", True), ("errors", "video", False), ("cli", "anomaly", True),
        ("anomaly", "metrics", True), ("anomaly", "encoders", False), ("reading", "anomaly", False),
        ("__init__", "reading", True), ("reading", "cli", False), ("video", "mimica itself", False),
    ],
)  # fmt: skip
def test_the_floors_say_who_may_see_whom(room: str, target: str, allowed: bool) -> None:
    assert may(room, target) == allowed


def opened_by(name: str, known: dict[str, Path]) -> set[str]:
    """The modules of the package that importing one imports, and the libraries."""
    opened: set[str] = set()
    waiting = [name]
    while waiting:
        module = waiting.pop()
        parents = [module.rsplit(".", i)[0] for i in range(module.count(".") + 1)]
        for one in parents:
            if one in opened:
                continue
            opened.add(one)
            if path := known.get(one):
                targets = imported(at_import(tree(path)), one, package=path.stem == "__init__")
                for base, _, inner in (target.partition(":") for target in targets):
                    waiting.append(f"{base}.{inner}" if f"{base}.{inner}" in known else base)
    return opened


def light() -> list[str]:
    listed = {f"mimica.{name}" for name in LIGHT}
    packages = {name for name, path in modules().items() if path.stem == "__init__"}
    return sorted(listed | packages | {name for name in modules() if name.startswith("mimica.cli.")})


@pytest.mark.parametrize("name", light())
def test_what_must_answer_at_once_imports_nothing_heavy(name: str) -> None:
    assert {library for library in opened_by(name, modules()) if library.split(".")[0] in HEAVY} == set()


def test_a_heavy_import_is_found_through_others() -> None:
    known = modules()
    assert "torch" in opened_by("mimica.training.loop", known)
    assert "numpy" in opened_by("mimica.reading.events", known), "through mimica.clips"


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
    where = path.relative_to(ROOT).as_posix()
    long = [
        f"{where}:{node.name} has {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION  # type: ignore[operator]
        and f"{where}:{node.name}" not in LONGER
    ]
    assert long == []


def test_no_file_is_named_after_what_it_is_not_about() -> None:
    named = [path for path in python_files() if BANNED_NAMES & {part.removesuffix(".py") for part in path.parts}]
    assert named == []


def test_libraries_that_do_not_go_with_ours_are_not_imported() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {target}"
        for path in python_files()
        for target in imported(ast.walk(tree(path)), "", package=False)
        if re.split("[.:]", target)[0] in BANNED_IMPORTS
    }
    assert found == set()


def texts() -> list[Path]:
    """The text files that are kept, or would be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    files = [ROOT / name for name in listed.stdout.split("\0") if name] or [p for p in SOURCE.rglob("*") if p.is_file()]
    return [path for path in files if path.is_file() and b"\0" not in path.read_bytes()[:4096]]


SOMEONES = re.compile("|".join([r"/home/[a-z]", r"/Users/[A-Za-z]", r"\bC:\\\\?Users", r"(?<![\w./])/(root|srv|mnt)/"]))


@pytest.mark.parametrize("text", ["see /home/ann/x", "/Users/ann", r"C:\Users\ann", '"/root/x"', "in /mnt/disk"])
def test_the_path_of_someones_machine_is_recognised(text: str) -> None:
    assert SOMEONES.search(text)


def test_no_file_names_a_path_of_someones_machine() -> None:
    here = Path(__file__).resolve()
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in texts()
        if path.resolve() != here
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if SOMEONES.search(line)
    ]
    assert found == []
