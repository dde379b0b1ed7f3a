"""`mimica units` and `predict --units`: what was drawn comes out, exactly, in every place where units are written."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from drawn import alone, film, photo, picture
from mimica.cli import DONE, FAILED, USAGE
from mimica.clips import READING_COLUMNS, SIGHTING_COLUMNS, UNIT_COLUMNS
from mimica.data.actor_folder import write_actor
from mimica.data.actor_settings import ActorSettings
from mimica.labels import EXPRESSIONS

Said = tuple[int, str, str]
UNITS = [column.name for column in UNIT_COLUMNS]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def table_of(path: Path) -> np.ndarray:
    return np.array([[float(row[name]) for name in UNITS] for row in rows(path)])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table of two clips of eight frames that the actor drew."""
    return write_actor(tmp_path_factory.mktemp("actor"), ActorSettings(clips=2, frames=8, size=48))


def truth(table: Path, clip: int) -> np.ndarray:
    row = rows(table)[clip]
    return np.array([[float(value) for value in row[name].split()] for name in UNITS]).T


@pytest.fixture
def exactly(drawn: Path) -> list[object]:
    return ["--faces", "none", "--fps", "25", "--detector", f"actor:{drawn}"]


def clip_of(table: Path, number: int) -> Path:
    return table.parent / "clips" / f"{number:06d}"


def test_the_table_says_what_was_drawn_at_the_time_of_each_frame(
    mimica: Callable[..., Said], drawn: Path, exactly: Sequence[object], tmp_path: Path
) -> None:
    code, out, err = mimica("units", clip_of(drawn, 0), clip_of(drawn, 1), *exactly, "--out", "u.csv")
    assert (code, err) == (DONE, "")
    assert "u.csv" in out
    assert "not what someone feels" in out
    found = rows(tmp_path / "u.csv")
    assert list(found[0]) == [column.name for column in SIGHTING_COLUMNS]
    assert [row["source"] for row in found] == [str(clip_of(drawn, k)) for k in (0, 1) for _ in range(8)]
    assert {row["person"] for row in found} == {"0"}
    assert [float(row["time"]) for row in found[:8]] == pytest.approx([i / 25 for i in range(8)])
    assert table_of(tmp_path / "u.csv") == pytest.approx(np.concatenate([truth(drawn, 0), truth(drawn, 1)]), abs=1e-3)


def test_what_is_not_known_is_empty_and_no_zero(
    mimica: Callable[..., Said], exactly: Sequence[object], tmp_path: Path
) -> None:
    photo(tmp_path / "other.png", picture({"a": (20, 20)}))
    assert mimica("units", "other.png", *exactly)[0] == DONE
    assert [[row[name] for name in UNITS] for row in rows(tmp_path / "units.csv")] == [[""] * len(UNITS)]


def test_a_bad_file_costs_only_itself_and_again_only_what_is_missing_is_read(
    mimica: Callable[..., Said], drawn: Path, exactly: Sequence[object], tmp_path: Path
) -> None:
    (tmp_path / "bad.mp4").write_text("no video")
    code, out, err = mimica("units", clip_of(drawn, 1), "bad.mp4", *exactly)
    assert code == FAILED
    assert "bad.mp4 is not a video" in err
    assert len(rows(tmp_path / "units.csv")) == 8
    (tmp_path / "bad.mp4").unlink()
    code, out, _ = mimica("units", clip_of(drawn, 1), clip_of(drawn, 0), *exactly)
    assert code == DONE
    assert "skipped" in out
    assert "done" in out
    assert table_of(tmp_path / "units.csv") == pytest.approx(
        np.concatenate([truth(drawn, 1), truth(drawn, 0)]), abs=1e-3
    )
    assert "skipped" not in mimica("units", clip_of(drawn, 1), *exactly, "--again")[1]


def test_the_order_of_the_table_is_that_of_the_sources_however_many_are_read_at_once(
    mimica: Callable[..., Said], drawn: Path, exactly: Sequence[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mimica.reading import job

    alone = job._alone
    monkeypatch.setattr(job, "_alone", lambda reader, made, waiting, *rest: alone(reader, made, waiting[::-1], *rest))
    assert mimica("units", clip_of(drawn, 0), clip_of(drawn, 1), *exactly)[0] == DONE
    assert table_of(tmp_path / "units.csv") == pytest.approx(
        np.concatenate([truth(drawn, 0), truth(drawn, 1)]), abs=1e-3
    )


def test_another_detector_reads_anew(
    mimica: Callable[..., Said], drawn: Path, exactly: Sequence[object], tmp_path: Path
) -> None:
    mimica("units", clip_of(drawn, 0), *exactly)
    before = table_of(tmp_path / "units.csv")
    code, out, _ = mimica("units", clip_of(drawn, 0), *exactly[:4])
    assert code == DONE
    assert "skipped" not in out
    assert (table_of(tmp_path / "units.csv") != before).any()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--out", "u.xlsx"], "u.xlsx is no name of a CSV table"),
        (["--detector", "compactunits"], "unknown detector of units 'compactunits'; did you mean 'compact-units'"),
        (["--plot", "u.bmp"], r"curves are drawn to .png, .svg, .pdf, .html, not to '.bmp'"),
        (["--plot", "units.csv"], r"curves are drawn to"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_read(
    mimica: Callable[..., Said], drawn: Path, flags: list[str], said: str, tmp_path: Path
) -> None:
    code, _, err = mimica("units", clip_of(drawn, 0), "--faces", "none", *flags)
    assert code == USAGE
    assert said in err
    assert not (tmp_path / "units.csv").exists()


def test_no_source_is_a_question_of_usage(mimica: Callable[..., Said]) -> None:
    assert mimica("units")[0] == USAGE


@pytest.mark.parametrize("ending", ["png", "svg", "html"])
def test_curves_are_drawn_of_everyone(
    mimica: Callable[..., Said], drawn: Path, exactly: Sequence[object], tmp_path: Path, ending: str
) -> None:
    code, out, _ = mimica("units", clip_of(drawn, 0), clip_of(drawn, 1), *exactly, "--plot", f"u.{ending}")
    assert code == DONE
    assert f"u.{ending}" in out
    assert (tmp_path / f"u.{ending}").stat().st_size > 10_000
    if ending == "html":
        text = (tmp_path / "u.html").read_text(encoding="utf-8")
        figures = json.loads(text.split('id="figures">')[1].split("</script>")[0])
        assert list(figures) == ["figure-0", "figure-1"]
        told = {trace["name"]: trace["customdata"] for trace in figures["figure-0"]["data"] if "name" in trace}
        assert told["AU12 lip corner puller"] == pytest.approx(truth(drawn, 0)[:, UNITS.index("AU12")], abs=2e-3)


# predict --units


@pytest.fixture
def reading(tiny_model: Path) -> list[object]:
    return ["--model", tiny_model, "--faces", "none", "--fps", "25", "--window", "8", "--stride", "8"]


def test_predict_adds_the_mean_of_each_window_to_every_table(
    mimica: Callable[..., Said], drawn: Path, reading: Sequence[object], tmp_path: Path
) -> None:
    formats = ("csv", "parquet", "jsonl", "html", "mp4")
    code, _, err = mimica(
        "predict", clip_of(drawn, 1), *reading, "--format", *formats, "--units", f"actor:{drawn}"
    )  # fmt: skip
    assert (code, err) == (DONE, "")
    mean = truth(drawn, 1).mean(0)
    (row,) = rows(tmp_path / "readings" / "000001.csv")
    assert list(row) == [*(c.name for c in READING_COLUMNS), *EXPRESSIONS.names, *UNITS]
    assert [float(row[name]) for name in UNITS] == pytest.approx(mean, abs=1e-3)
    (record,) = [json.loads(line) for line in (tmp_path / "readings" / "000001.jsonl").read_text().splitlines()]
    assert [record["units"][name] for name in UNITS] == pytest.approx(mean, abs=1e-3)
    (typed,) = parquet.read_table(tmp_path / "readings" / "000001.parquet").to_pylist()
    assert [typed[name] for name in UNITS] == pytest.approx(mean, abs=1e-3)
    page = (tmp_path / "readings" / "000001.html").read_text(encoding="utf-8")
    assert 'id="units-0"' in page
    assert f"By actor:{drawn}" in page


def test_without_the_flag_no_output_speaks_of_units(
    mimica: Callable[..., Said], drawn: Path, reading: Sequence[object], tmp_path: Path
) -> None:
    assert mimica("predict", clip_of(drawn, 1), *reading, "--format", "csv", "parquet", "jsonl", "html")[0] == DONE
    told = (tmp_path / "readings" / "000001.csv").read_text() + (tmp_path / "readings" / "000001.jsonl").read_text()
    assert "AU1" not in told
    assert '"units"' not in told
    assert "mimica.units" not in str(parquet.read_schema(tmp_path / "readings" / "000001.parquet").metadata)
    assert 'id="units-0"' not in (tmp_path / "readings" / "000001.html").read_text(encoding="utf-8")


def test_units_that_are_not_seen_are_empty_in_the_table_and_absent_in_the_record(
    mimica: Callable[..., Said], drawn: Path, reading: Sequence[object], tmp_path: Path
) -> None:
    film(tmp_path / "clip.mp4", alone(8), rate=25)
    code, _, _ = mimica(
        "predict", "clip.mp4", *reading, "--format", "csv", "jsonl", "html", "--units", f"actor:{drawn}"
    )
    assert code == DONE
    assert {row["AU1"] for row in rows(tmp_path / "readings" / "clip.csv")} == {""}
    assert "units" not in json.loads((tmp_path / "readings" / "clip.jsonl").read_text().splitlines()[0])


def test_asking_for_units_later_reads_anew(mimica: Callable[..., Said], drawn: Path, reading: Sequence[object]) -> None:
    command = ("predict", clip_of(drawn, 0), *reading, "--format", "csv")
    assert "done" in mimica(*command)[1]
    assert "skipped" in mimica(*command)[1]
    assert "skipped" not in mimica(*command, "--units", f"actor:{drawn}")[1]


def test_two_detectors_are_one_too_many(mimica: Callable[..., Said], drawn: Path, reading: Sequence[object]) -> None:
    code, _, err = mimica("predict", clip_of(drawn, 0), *reading, "--units", "compact-units", "blendshapes")
    assert code == USAGE
    assert "takes one detector" in err


def test_readings_with_units_are_read_back_with_their_classes_alone(
    mimica: Callable[..., Said], drawn: Path, reading: Sequence[object], tmp_path: Path
) -> None:
    from mimica.reading.agreement.stored import stored

    mimica("predict", clip_of(drawn, 0), *reading, "--format", "csv", "jsonl", "parquet", "--units", f"actor:{drawn}")
    for kind in ("csv", "jsonl", "parquet"):
        assert set(stored(tmp_path / "readings" / f"000000.{kind}")[0]) == set(EXPRESSIONS.names)
