"""The commands of the README are run as they stand there, in order, in one folder."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from drawn import photo, picture
from mimica.checkpoint import SHIPPED
from mimica.cli import main, parse

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")

FENCED = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
TOO_MUCH = ("mimica train ", "mimica pretrain ", "camera:", "fer2013:", "dfew:", "mimica zero-shot ", " runs/")
"""Needs what a reader must bring, an encoder of texts, or a night; such commands are only checked to be understood."""


def commands(text: str) -> list[str]:
    """Every line of the fenced blocks that begins with `mimica`; a backslash at its end joins the next to it."""
    blocks = "\n".join(FENCED.findall(text)).replace("\\\n", " ")
    return [line.strip() for line in blocks.splitlines() if line.startswith("mimica ")]


def runnable(text: str) -> list[str]:
    """The commands that run on a machine with nothing but the package and its assets."""
    return [command for command in commands(text) if not any(part in command for part in TOO_MUCH)]


def words(command: str) -> list[str]:
    return shlex.split(command, comments=True)[1:]


def followed(text: str) -> Iterator[tuple[str, int]]:
    """Each command that can be run, with its exit code."""
    for command in runnable(text):
        yield command, main(words(command))


def understood(command: str) -> bool:
    try:
        parse(words(command))
    except SystemExit as leaving:
        return leaving.code in (None, 0)
    return True


SMALL = """
Run `mimica doctor`, or

    mimica models list

```
make test
mimica assets list   # names them
mimica assets \\
  check
```
```bash
mimica train duse_compact --data folder:x --out y
mimica assets check nothing
```
"""


def test_commands_are_taken_from_fenced_blocks_alone() -> None:
    assert [words(command) for command in commands(SMALL)] == [
        ["assets", "list"],
        ["assets", "check"],
        ["train", "duse_compact", "--data", "folder:x", "--out", "y"],
        ["assets", "check", "nothing"],
    ]


def test_what_needs_data_or_a_night_is_not_run() -> None:
    assert [code for _, code in followed(SMALL)] == [0, 0, 2]


@pytest.mark.parametrize(("command", "right"), [("mimica doctor", True), ("mimica predict x --colour", False)])
def test_a_command_that_the_parser_refuses_is_noticed(command: str, right: bool) -> None:
    assert understood(command) is right


def test_the_readme_shows_enough_that_can_be_run() -> None:
    assert len(runnable(README)) >= 5


@pytest.mark.parametrize("command", commands(README))
def test_every_command_of_the_readme_is_understood(command: str) -> None:
    assert understood(command)


@pytest.fixture
def as_the_reader_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder but for `faces`, where the README asks for a folder a class of cropped faces."""
    for person, name in zip("ab", ("happiness", "anger"), strict=True):
        (tmp_path / "faces" / name).mkdir(parents=True)
        photo(tmp_path / "faces" / name / "one.png", picture({person: (20, 20)}))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("as_the_reader_has_it")
def test_every_command_of_the_readme_does_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    shipped = SHIPPED / "duse-compact.safetensors"
    assert shipped.is_file(), f"the model that the README speaks of is not there: {shipped}"
    for command, code in followed(README):
        assert code == 0, f"{command}\n{capsys.readouterr().err}"
