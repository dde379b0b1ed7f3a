"""`mimica agree`: from a video to readings, from readings to a document of ELAN, and back."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from drawn import alone, film
from mimica.cli import DONE, FAILED, USAGE
from mimica.notice import SHORT

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def read(mimica: Run, tmp_path: Path, quick: list[str]) -> Path:
    """A folder with the readings of a video of six seconds, in windows that do not overlap, all of them sure."""
    film(tmp_path / "day 1.mp4", alone(30), rate=5)
    code, _, err = mimica(
        "predict", "day 1.mp4", "--out", "read", "--format", "eaf", "parquet", "--unsure-below", "0", *quick
    )
    assert code == DONE, err
    return tmp_path / "read"


def annotated(path: Path, rows: list[str], header: str = "start,end,label") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_what_predict_writes_for_elan_is_read_back_and_agrees_with_its_readings(mimica: Run, read: Path) -> None:
    code, out, err = mimica("agree", "read/day 1.eaf", "read", "--json", "new/figures.json", "--csv", "moments.csv")
    assert code == DONE, err
    facts = json.loads(Path("new/figures.json").read_text())
    assert facts["overall"]["agreement"]["value"] == facts["overall"]["one_covered"] == 1
    assert facts["overall"]["one_seconds"] == pytest.approx(6, abs=0.3)
    (line,) = [line for line in out.splitlines() if line.startswith("day 1.mp4  person 0")]
    assert "100%" in line
    assert out.splitlines()[-1] == SHORT
    with open("moments.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) * 0.1 == pytest.approx(facts["overall"]["both_seconds"])
    assert all(row["annotation"] == row["other"] for row in rows)


def test_figures_are_printed_with_intervals_and_never_as_nan(mimica: Run, tmp_path: Path) -> None:
    one = annotated(tmp_path / "one.csv", [f"{10 * i},{10 * i + 10},{'joy' if i % 3 else 'fear'}" for i in range(30)])
    other = annotated(tmp_path / "two.csv", [f"{10 * i},{10 * i + 7},{'joy' if i % 4 else 'fear'}" for i in range(30)])
    code, out, err = mimica("agree", one, other)
    assert code == DONE, err
    lines = out.splitlines()
    assert lines[0].startswith("kappa ")
    assert "(95 % interval " in lines[0]
    assert lines[1].startswith("agreement ")
    assert ", by chance 0." in lines[1]
    assert lines[2] == "210.0 s of which both speak, in steps of 0.1 s; 30 blocks of 10 s"
    (seconds,) = [line.split() for line in lines if line.startswith("happiness") and " s " not in line]
    assert sum(float(cell) for cell in seconds[1:] if cell != "·") == pytest.approx(140)
    (figures,) = [line for line in lines if line.startswith("fear ") and " of " in line]
    assert figures.endswith("3 of 10")
    (absent,) = [line for line in lines if line.startswith("anger") and " s " in line]
    assert absent.split()[1:] == ["0.0", "s", "0.0", "s", "0.0", "s", "–", "–", "–"]
    assert "taken: joy as happiness" in lines
    assert "nan" not in out


def test_who_is_who_and_what_words_mean_are_flags(mimica: Run, read: Path, tmp_path: Path) -> None:
    annotated(tmp_path / "coder.csv", ["0,3,smile,mother", "3,6,frown,mother", "0,6,x,child"], "start,end,label,person")
    code, _, err = mimica("agree", "coder.csv", "read")
    assert (code, err.count("\n")) == (USAGE, 1)
    assert "coder.csv has the persons mother (6.0 s), child (6.0 s)" in err
    code, _, err = mimica("agree", "coder.csv", "read", "--person", "0=mother")
    assert (code, err.count("\n")) == (FAILED, 1)
    assert "coder.csv, mother: no class is called 'smile' (1 times)" in err
    told = ("--tier", "mother", "--labels", "smile=happiness", "frown=anger")
    code, out, err = mimica("agree", "coder.csv", "read", *told)
    assert code == DONE, err
    assert "taken: smile as happiness, frown as anger" in out
    assert "day 1.mp4  mother" in out


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["gone.eaf", "read"], FAILED, "there is no gone.eaf"),
        (["coder.csv", "read", "--tier", "father"], USAGE, "unknown tier 'father'"),
        (["coder.csv", "read", "--step", "0"], USAGE, "step must be"),
        (["coder.csv", "read", "--csv", "./coder.csv"], USAGE, "is read and would be lost"),
        (["day 1.mp4", "read"], FAILED, "is neither readings"),
    ],
)
@pytest.mark.usefixtures("read")
def test_what_cannot_be_done_is_one_sentence_and_nothing_is_lost(
    mimica: Run, tmp_path: Path, arguments: list[str], code: int, told: str
) -> None:
    path = annotated(tmp_path / "coder.csv", ["0,3,joy", "3,6,fear"])
    before = path.read_text()
    ended, _, err = mimica("agree", *arguments)
    assert (ended, err.count("\n")) == (code, 1), err
    assert told in err
    assert path.read_text() == before
