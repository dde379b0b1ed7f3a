from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest

from drawn import alone, film, folder, photo, picture
from mimica import checkpoint
from mimica.errors import AssetError, InputError, MimicaError, UsageError
from mimica.reading.events import Event
from mimica.reading.job import Job, run
from mimica.reading.reader import Reader
from mimica.reading.record import RECORD, Outcome
from mimica.reading.settings import Settings

QUICK = Settings(fps=5, window=4, stride=4, faces="none")


@pytest.fixture
def job(tiny_model: Path, tmp_path: Path) -> Job:
    return Job(model=str(tiny_model), out=tmp_path / "out", formats=("csv", "jsonl"), settings=QUICK)


@pytest.fixture
def clips(tmp_path: Path) -> list[str]:
    """Two short videos."""
    (tmp_path / "in").mkdir()
    return [str(film(tmp_path / "in" / f"{person}.mp4", alone(10, person), rate=5)) for person in "ab"]


def states(job: Job, sources: Sequence[str], **how: Any) -> list[str]:
    """How each source went, in the order in which they were named."""
    outcomes = {outcome.source: outcome.state for outcome in run(job, sources, **how)}
    return [outcomes[source] for source in sources if source in outcomes]


def written(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir() if path.name != RECORD}


def change(path: str) -> None:
    os.utime(path, ns=(0, 10**9))


# One bad file costs only itself


def test_a_broken_file_among_good_ones_fails_alone(job: Job, clips: list[str], tmp_path: Path) -> None:
    broken, gone = tmp_path / "in" / "aa.mp4", tmp_path / "gone.mp4"
    broken.write_text("not a video")
    outcomes = {Path(o.source).name: o for o in run(job, [clips[0], str(broken), str(gone), clips[1]])}
    assert {name: o.state for name, o in outcomes.items()} == {
        "a.mp4": "done", "b.mp4": "done", "aa.mp4": "failed", "gone.mp4": "failed",
    }  # fmt: skip
    assert "aa.mp4" in outcomes["aa.mp4"].error
    assert "gone.mp4" in outcomes["gone.mp4"].error
    assert set(written(tmp_path / "out")) == {"a.csv", "a.jsonl", "b.csv", "b.jsonl"}


def test_an_outcome_says_what_was_read_and_written(job: Job, clips: list[str], tmp_path: Path) -> None:
    (outcome,) = run(replace(job, settings=replace(QUICK, unsure_below=0.0)), clips[:1])
    assert outcome.outputs == [str(tmp_path / "out" / "a.csv"), str(tmp_path / "out" / "a.jsonl")]
    assert outcome.people == 1
    assert outcome.seconds == pytest.approx(1.8)
    assert outcome.statuses == {"ok": 3}
    assert sum(outcome.labels.values()) == pytest.approx(2.0)  # all of the clip, though its windows overlap


def test_a_folder_of_mixed_files_is_read_whatever_they_are(job: Job, clips: list[str], tmp_path: Path) -> None:
    photo(tmp_path / "in" / "photo.png", picture({}))
    (tmp_path / "in" / "notes.txt").write_text("not media")
    (tmp_path / "in" / "empty.mov").touch()
    outcomes = {Path(o.source).name: o.state for o in run(job, [str(tmp_path / "in")])}
    assert outcomes == {"a.mp4": "done", "b.mp4": "done", "photo.png": "done", "empty.mov": "failed"}


def test_progress_is_told_in_seconds(job: Job, clips: list[str]) -> None:
    told: list[tuple[str, float, float | None]] = []
    list(run(job, clips[:1], progress=lambda *row: told.append(row)))
    assert [source for source, _, _ in told] == [clips[0]] * 10
    assert told[-1][1] == pytest.approx(1.8)
    assert told[-1][2] == pytest.approx(2.0, abs=0.05)


def test_without_a_folder_readings_go_to_standard_output_as_json_lines(
    job: Job, clips: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (outcome,) = run(replace(job, out=None), clips[:1])
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["source"] for record in records] == [clips[0]] * 3
    assert outcome.outputs == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyError("box"), "a defect of Mimica, which you could report (KeyError: 'box', in test_job.py line"),
        (MemoryError(), "more memory than there is"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "more memory than there is"),
        (OSError(5, "Input/output error"), "Input/output error; check the disk"),
        (UsageError("this cannot be"), ": this cannot be"),
    ],
)
def test_whatever_goes_wrong_with_a_source_is_one_sentence_that_names_it(
    job: Job, clips: list[str], monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    whole = Reader.read

    def read(self: Reader, source: str, **how: Any) -> Iterator[Event]:
        if source == clips[0]:
            raise error
        return whole(self, source, **how)

    monkeypatch.setattr(Reader, "read", read)
    bad, good = run(job, clips)
    assert (bad.state, good.state) == ("failed", "done")
    assert bad.error.startswith(clips[0])
    assert said in bad.error
    assert "\n" not in bad.error


# What an earlier run has finished


def test_what_was_read_is_not_read_again(job: Job, clips: list[str], tmp_path: Path) -> None:
    first = list(run(job, clips))
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.csv")}
    second = list(run(job, clips))
    assert [o.state for o in first] == ["done", "done"]
    assert second == [replace(outcome, state="skipped") for outcome in first]
    assert times == {path: path.stat().st_mtime_ns for path in times}


def test_only_what_is_new_is_read(job: Job, clips: list[str]) -> None:
    assert states(job, clips[:1]) == ["done"]
    assert states(job, clips) == ["skipped", "done"]


def test_a_file_that_changed_is_read_again(job: Job, clips: list[str]) -> None:
    list(run(job, clips))
    change(clips[1])
    assert states(job, clips) == ["skipped", "done"]


def test_a_folder_of_pictures_is_read_again_if_one_of_them_changed(job: Job, tmp_path: Path) -> None:
    source = folder(tmp_path / "frames", alone(6))
    assert states(job, [str(source)]) == ["done"]
    assert states(job, [str(source)]) == ["skipped"]
    change(str(source / "frame_0003.png"))
    assert states(job, [str(source)]) == ["done"]


def test_a_file_whose_output_is_gone_is_read_again(job: Job, clips: list[str], tmp_path: Path) -> None:
    list(run(job, clips))
    (tmp_path / "out" / "a.csv").unlink()
    assert states(job, clips) == ["done", "skipped"]


def test_all_is_read_again_on_request(job: Job, clips: list[str]) -> None:
    list(run(job, clips))
    assert states(job, clips, again=True) == ["done", "done"]


def _recalibrated(job: Job, tmp_path: Path) -> Job:
    tensors, facts = checkpoint.load(Path(job.model))
    checkpoint.save(tmp_path / "other.safetensors", tensors, {**facts, "temperature": 2.0})
    return replace(job, model=str(tmp_path / "other.safetensors"))


@pytest.mark.parametrize(
    "otherwise",
    [
        lambda job, tmp_path: replace(job, settings=replace(QUICK, stride=2)),
        lambda job, tmp_path: replace(job, formats=("csv",)),
        lambda job, tmp_path: replace(job, blur_faces=True),
        _recalibrated,
    ],
    ids=["settings", "formats", "blur", "model"],
)
def test_another_way_of_reading_reads_again(
    job: Job, clips: list[str], tmp_path: Path, otherwise: Callable[[Job, Path], Job]
) -> None:
    list(run(job, clips[:1]))
    assert states(otherwise(job, tmp_path), clips[:1]) == ["done"]


def test_a_source_that_failed_is_tried_again(job: Job, tmp_path: Path) -> None:
    source = tmp_path / "later.mp4"
    source.write_text("not yet")
    assert states(job, [str(source)]) == ["failed"]
    assert states(job, [str(source)]) == ["failed"]
    film(source, alone(10), rate=5)
    assert states(job, [str(source)]) == ["done"]


def test_a_source_that_was_stopped_keeps_what_was_read_and_is_read_again(
    job: Job, clips: list[str], tmp_path: Path
) -> None:
    told: list[float] = []
    outcomes = list(run(job, clips, progress=lambda _, at, of: told.append(at), stopped=lambda: len(told) >= 5))
    assert [(Path(o.source).name, o.state) for o in outcomes] == [("a.mp4", "stopped")]
    part = (tmp_path / "out" / "a.jsonl").read_text().splitlines()
    assert 1 <= len(part) < 3
    assert states(job, clips) == ["done", "done"]
    assert (tmp_path / "out" / "a.jsonl").read_text().splitlines()[0] == part[0]
    assert len((tmp_path / "out" / "a.jsonl").read_text().splitlines()) == 3


def test_files_of_one_name_never_overwrite_each_other_also_across_runs(
    job: Job, clips: list[str], tmp_path: Path
) -> None:
    sources = [str(tmp_path / day / "clip.mp4") for day in ("one", "two")]
    for clip, source in zip(clips, sources, strict=True):
        Path(source).parent.mkdir()
        Path(clip).rename(source)
    (first,) = run(job, sources[:1])
    kept = written(tmp_path / "out")
    (second,) = run(job, sources[1:])
    assert not set(first.outputs) & set(second.outputs)
    assert kept.items() <= written(tmp_path / "out").items()
    assert [o.outputs for o in run(job, sources[::-1], again=True)] == [second.outputs, first.outputs]


def test_a_file_named_in_two_ways_is_read_once(
    job: Job, clips: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert states(job, [clips[0], "in/a.mp4", "in/../in/a.mp4"]) == ["done"]


def test_the_folder_that_one_stands_in_may_be_the_source(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder(tmp_path / "frames", alone(6)))
    (outcome,) = run(job, ["."])
    assert [Path(path).name for path in outcome.outputs] == ["frames.csv", "frames.jsonl"]


# The output folder


def _not_told(*row: object) -> None:
    pytest.fail(f"something was read: {row}")


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_folder_that_cannot_be_written_to_is_one_sentence_before_any_reading(
    job: Job, clips: list[str], tmp_path: Path, jobs: int
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(InputError, match=r"cannot write .*file.*--out"):
        list(run(replace(job, out=blocked / "out"), clips, jobs=jobs, progress=_not_told))


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"sources": []}', '{"sources": {"a": 1}}'])
def test_a_damaged_record_says_how_to_go_on(job: Job, clips: list[str], tmp_path: Path, content: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / RECORD).write_text(content)
    with pytest.raises(InputError, match="delete it"):
        list(run(job, clips))


def test_what_does_not_exist_is_refused_before_any_reading(job: Job, clips: list[str]) -> None:
    with pytest.raises(UsageError, match="did you mean 'csv'"):
        list(run(replace(job, formats=("cvs",)), clips))
    with pytest.raises(UsageError, match="jobs must be 1 or more"):
        list(run(job, clips, jobs=0))
    with pytest.raises(UsageError, match="unknown model"):
        list(run(replace(job, model="nobody"), clips))


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("refused", ["encoder", "device", "detector"])
def test_a_model_that_is_refused_leaves_nothing_behind(
    job: Job, clips: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str, jobs: int
) -> None:
    monkeypatch.setenv("MIMICA_HOME", str(tmp_path / "nothing here"))
    other = {
        "encoder": replace(job, model=str(checkpoint.SHIPPED / "compact.safetensors")),
        "device": replace(job, settings=replace(QUICK, device="cuda:99")),
        "detector": replace(job, settings=replace(QUICK, faces="detect")),
    }[refused]
    with pytest.raises(MimicaError):
        list(run(other, clips, jobs=jobs))
    assert not (tmp_path / "out").exists()


# Several at once


def test_two_at_once_write_what_one_after_the_other_does(job: Job, clips: list[str], tmp_path: Path) -> None:
    broken = tmp_path / "in" / "broken.mp4"
    broken.write_text("not a video")
    sources = [*clips, str(broken)]
    once, twice = replace(job, out=tmp_path / "one"), replace(job, out=tmp_path / "two")
    alone_, together = list(run(once, sources)), list(run(twice, sources, jobs=2))
    assert written(tmp_path / "one") == written(tmp_path / "two")

    def facts(outcomes: list[Outcome]) -> dict[str, tuple[object, ...]]:
        return {o.source: (o.state, o.error, o.people, o.seconds, o.labels, o.statuses) for o in outcomes}

    assert facts(alone_) == facts(together)
    assert states(twice, sources, jobs=2) == ["skipped", "skipped", "failed"]


@pytest.fixture
def long(job: Job, tmp_path: Path) -> tuple[Job, list[str]]:
    """Three sources that take longer to read than any test should, and the job that reads them."""
    (tmp_path / "long").mkdir()
    still = [alone(1)[0]] * 3000
    sources = [str(film(tmp_path / "long" / f"{name}.mp4", still, rate=30)) for name in "abc"]
    return replace(job, settings=replace(QUICK, fps=30, stride=1)), sources


def begun(out: Path) -> bool:
    return any(out.glob(".*.csv.part"))


def test_a_process_that_dies_costs_only_the_source_that_it_died_of(job: Job, clips: list[str], tmp_path: Path) -> None:
    endless = str(film(tmp_path / "a-long.mp4", [alone(1)[0]] * 1500, rate=30))
    slow = replace(job, settings=replace(QUICK, fps=30, stride=1))
    over = threading.Event()

    def kill() -> None:
        while not over.wait(0.05):
            if (tmp_path / "out" / ".a-long.csv.part").exists():
                for process in active_children():
                    process.kill()
                (tmp_path / "out" / ".a-long.csv.part").unlink(missing_ok=True)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        outcomes = {outcome.source: outcome for outcome in run(slow, [endless, clips[0]], jobs=2)}
    finally:
        over.set()
        killer.join()
    assert {source: outcome.state for source, outcome in outcomes.items()} == {endless: "failed", clips[0]: "done"}
    assert outcomes[endless].error.startswith(endless)
    assert "--jobs" in outcomes[endless].error


def test_a_process_ends_when_the_one_that_began_it_is_killed(tmp_path: Path) -> None:
    script = (
        "import time, multiprocessing as m; from mimica.reading.job import _end_with_parent as end;"
        "m.get_context('spawn').Process(target=end).start(); print('begun', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"begun\n"
        parent.kill()
        assert parent.communicate(timeout=120)[0] == b"", "both have let go of standard output"


def test_what_every_process_lacks_is_said_once(
    job: Job, clips: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIMICA_HOME", str(tmp_path / "nothing here"))
    with pytest.raises(AssetError, match="mimica assets fetch mtcnn"):
        list(run(replace(job, settings=replace(QUICK, faces="detect")), clips, jobs=2))


def test_a_stop_reaches_the_processes_at_once(long: tuple[Job, list[str]], tmp_path: Path) -> None:
    outcomes = list(run(*long, jobs=2, stopped=lambda: begun(tmp_path / "out")))
    assert {outcome.state for outcome in outcomes} == {"stopped"}
    assert len(outcomes) <= 2
    assert set(written(tmp_path / "out")) == {Path(path).name for outcome in outcomes for path in outcome.outputs}


def test_a_film_that_is_cut_short_is_read_as_far_as_it_goes_and_warned_of(job: Job, tmp_path: Path) -> None:
    whole = film(tmp_path / "whole.mp4", alone(120), rate=10)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    (fine, outcome) = run(job, [str(whole), str(cut)])
    assert (fine.state, fine.warnings) == ("done", [])
    assert (outcome.state, len(outcome.warnings)) == ("done", 1)
    assert "damaged" in outcome.warnings[0]
    assert 0 < outcome.seconds < fine.seconds
