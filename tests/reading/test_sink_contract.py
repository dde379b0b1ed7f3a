"""What holds for every sink: when its file appears, when it does not, and what its errors say."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from sink_stream import photo, stream

from mimica.errors import InputError, MimicaError, UsageError
from mimica.reading.events import Closed
from mimica.reading.sinks import FORMATS, STREAMED, open_sink
from mimica.reading.sinks.base import SinkOptions

TABLES = tuple(f for f in FORMATS if f != "mp4")


def write(format: str, path: Path, events, **options) -> Path:
    with open_sink(format, path, SinkOptions(**options)) as sink:
        for event in events:
            sink.append(event)
    return path


@pytest.mark.parametrize("format", FORMATS)
def test_the_file_appears_under_its_name_only_at_the_end(format: str, tmp_path: Path) -> None:
    path = tmp_path / f"out.{format}"
    with open_sink(format, path) as sink:
        for event in stream(seconds=2.0):
            sink.append(event)
            assert not path.exists()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.stat().st_size > 0


@pytest.mark.parametrize("format", FORMATS)
def test_an_exception_before_the_end_leaves_nothing(format: str, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="crash"), open_sink(format, tmp_path / "out") as sink:  # noqa: PT012
        for event in itertools.islice(stream(), 20):
            sink.append(event)
        raise RuntimeError("crash")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", FORMATS)
def test_an_interruption_after_closed_keeps_what_is_there(format: str, tmp_path: Path) -> None:
    path = tmp_path / f"out.{format}"
    with pytest.raises(KeyboardInterrupt), open_sink(format, path) as sink:  # noqa: PT012
        for event in stream(seconds=2.0, finished=False):
            sink.append(event)
        raise KeyboardInterrupt
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("format", FORMATS)
def test_a_source_that_never_opened_leaves_no_file(format: str, tmp_path: Path) -> None:
    write(format, tmp_path / "out", [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", FORMATS)
def test_an_older_file_stays_if_reading_fails(format: str, tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("old")
    with pytest.raises(RuntimeError), open_sink(format, path) as sink:  # noqa: PT012
        sink.append(next(stream()))
        raise RuntimeError
    assert path.read_text() == "old"


@pytest.mark.parametrize("format", TABLES)
def test_no_reading_still_makes_a_file(format: str, tmp_path: Path) -> None:
    opened, closed = next(stream()), Closed(frames=0, read=0, last_time=0.0)
    assert write(format, tmp_path / "out", [opened, closed]).exists()


@pytest.mark.parametrize("format", FORMATS)
def test_a_photo_can_be_written_in_every_format(format: str, tmp_path: Path) -> None:
    assert write(format, tmp_path / f"out.{format}", photo()).stat().st_size > 100


@pytest.mark.parametrize("format", FORMATS)
def test_folders_on_the_way_are_made(format: str, tmp_path: Path) -> None:
    assert write(format, tmp_path / "a" / "b" / "out", stream(seconds=1.0)).exists()


@pytest.mark.parametrize("format", FORMATS)
def test_a_place_that_cannot_be_written_to_is_one_sentence(format: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MimicaError, match=r"cannot write .*file"):
        write(format, tmp_path / "file" / "out", stream(seconds=1.0))


def test_a_disk_that_fills_up_is_one_sentence(tmp_path: Path) -> None:
    opened, *_ = stream(seconds=1.0)
    told = [event for event in stream(seconds=3.0) if type(event).__name__ == "Reading"]

    def write_to_a_full_disk() -> None:
        with open_sink("csv", tmp_path / "out.csv") as sink:
            sink.append(opened)
            sink._writer = Full()
            for event in told:
                sink.append(event)

    with pytest.raises(InputError, match=r"cannot write .*out\.csv: No space left"):
        write_to_a_full_disk()
    assert list(tmp_path.iterdir()) == []


class Full:
    def writerow(self, row: list[str]) -> None:
        raise OSError(28, "No space left on device")


def test_an_unknown_format_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown format 'parket'; did you mean 'parquet'\?"):
        open_sink("parket", Path("x"))


@pytest.mark.parametrize("format", sorted(set(FORMATS) - set(STREAMED)))
def test_only_lines_go_to_standard_output(format: str) -> None:
    with pytest.raises(UsageError, match="needs a file"):
        open_sink(format, "-")


@pytest.mark.parametrize(("format", "first"), [("csv", "source,person"), ("jsonl", '{"source": "made up.mp4"')])
def test_lines_reach_standard_output_as_readings_come(format: str, first: str, capsys) -> None:
    with open_sink(format, "-") as sink:
        for event in stream(seconds=3.0):
            sink.append(event)
            if type(event).__name__ == "Reading":
                break
        assert capsys.readouterr().out.startswith(first)


def test_a_second_source_is_refused(tmp_path: Path) -> None:
    opened = next(stream())
    with pytest.raises(ValueError, match="one source"):
        write("csv", tmp_path / "out", [opened, opened])


def test_naming_the_formats_loads_nothing_heavy() -> None:
    code = (
        "import sys; from mimica.reading.sinks import FORMATS, open_sink; open_sink('csv', '-');"
        "print([m for m in ('torch', 'av', 'PIL', 'plotly', 'pyarrow') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
