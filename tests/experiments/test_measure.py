from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mimica.checkpoint import restate
from mimica.data.files import load_files
from mimica.errors import UsageError
from mimica.experiments import measure
from mimica.experiments.measure import measured, predictions, sampled
from mimica.experiments.protocol import Planned, planned
from mimica.recognition.registry import load
from mimica.training.calibrate import logits_of_set
from tiny_folds import dfew, model


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"dfew:{dfew(tmp_path_factory.mktemp('data') / 'DFEW')}"


@pytest.fixture
def tested(data: str, tiny_model: Path, tmp_path: Path) -> Planned:
    return planned(data, "5fold", str(model(tiny_model, tmp_path / "duse-tiny.safetensors")))[0]


def trained_logits(tested: Planned, **how: Any) -> np.ndarray:
    """Logits as training measures them."""
    recogniser = load(str(tested.model))
    kept = recogniser.frames if how.get("views", 1) == 1 else None
    clips = load_files(tested.items, size=recogniser.size, frames=kept, space=tested.space, origin="", stored=True)
    return logits_of_set(recogniser.network, clips, frames=recogniser.frames, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("views", [1, 2])
def test_clips_are_read_as_training_measures_them(tested: Planned, tmp_path: Path, views: int) -> None:
    tested = replace(tested, facts={**tested.facts, "frames": 2}) if views > 1 else tested
    restate(tested.model, frames=tested.facts["frames"])
    found = measured(tested, tmp_path / "kept.safetensors", views=views)
    expected = trained_logits(tested, views=views)
    assert len({tuple(row) for row in expected.round(4).tolist()}) == len(tested.items), "clips differ"
    assert found.logits.numpy() == pytest.approx(expected, abs=1e-3)
    assert found.of == "feature"
    assert found.features.shape == (len(tested.items), 16)


def test_the_sampling_is_the_models_own() -> None:
    own = {"frames": 16, "window": 8, "recipe": {"sampling": "tsn8x2"}}
    assert (sampled(own, 1).sampling, sampled(own, 1).frames, sampled(own, 1).kept) == ("tsn8x2", 8, None)
    plain = sampled({"frames": 16}, 1)
    assert (plain.sampling, plain.frames, plain.kept) == ("uniform", 16, 16)
    assert sampled({"frames": 16}, 3).kept is None, "views are of all frames"
    with pytest.raises(UsageError, match="same in every view"):
        sampled({"frames": 16, "recipe": {"sampling": "last"}}, 2).check()


class Counted:
    """Counts the clips that are read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, dies_after: int | None = None) -> None:
        self.clips, self._read = 0, measure.seen_of

        def counting(*given: Any) -> Any:
            if self.clips == dies_after:
                raise KeyboardInterrupt
            self.clips += 1
            return self._read(*given)

        monkeypatch.setattr(measure, "seen_of", counting)


def test_what_was_read_is_not_read_again(tested: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep = tmp_path / "kept.safetensors"
    first = measured(tested, keep)
    counted = Counted(monkeypatch)
    again = measured(replace(tested, facts={**tested.facts, "temperature": 2.0}), keep)
    assert counted.clips == 0, "calibration is no reason to read"
    assert torch.equal(first.logits, again.logits)
    measured(tested, keep, views=2)
    assert counted.clips == len(tested.items)
    measured(replace(tested, facts={**tested.facts, "sha256": "other"}), keep)
    assert counted.clips == 2 * len(tested.items)


def test_a_clip_that_changed_is_read_again(tested: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep = tmp_path / "kept.safetensors"
    measured(tested, keep)
    more = tested.items[3].path / "more.jpg"
    more.write_bytes(next(tested.items[4].path.iterdir()).read_bytes())
    counted = Counted(monkeypatch)
    try:
        measured(tested, keep)
    finally:
        more.unlink()
    assert counted.clips == len(tested.items)


def test_a_run_that_was_ended_goes_on_where_it_was_kept(
    tested: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = measured(tested, tmp_path / "whole.safetensors")
    monkeypatch.setattr(measure, "_KEPT_EVERY", 4)
    monkeypatch.setattr(measure, "_BATCH", 2)
    keep, told = tmp_path / "kept.safetensors", list[int]()
    with monkeypatch.context() as patch:
        Counted(patch, dies_after=6)
        with pytest.raises(KeyboardInterrupt):
            measured(tested, keep)
    counted = Counted(monkeypatch)
    found = measured(tested, keep, progress=told.append)
    assert counted.clips == len(tested.items) - 4
    assert found.logits.numpy() == pytest.approx(whole.logits.numpy(), abs=1e-3)
    assert (told[0], told[-1]) == (4, len(tested.items))


def test_a_clip_that_cannot_be_read_is_named_and_tried_again_the_next_time(
    tested: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = next(tested.items[2].path.iterdir())
    whole = broken.read_bytes()
    broken.write_bytes(b"no picture")
    try:
        found = measured(tested, tmp_path / "kept.safetensors")
    finally:
        broken.write_bytes(whole)
    assert list(found.errors) == [2]
    table = predictions(tested, found)
    assert table.read.tolist() == [i != 2 for i in range(len(tested.items))]
    assert str(tested.items[2].path) in table.errors[2]
    counted = Counted(monkeypatch)
    mended = measured(tested, tmp_path / "kept.safetensors")
    assert counted.clips == 1, "all others were kept"
    assert mended.errors == {}
    assert mended.logits.numpy() == pytest.approx(
        measured(tested, tmp_path / "new.safetensors").logits.numpy(), abs=1e-4
    )


def test_probabilities_are_calibrated_by_what_the_model_states(tested: Planned, tmp_path: Path) -> None:
    found = measured(tested, tmp_path / "kept.safetensors")
    cool, hot = (
        predictions(replace(tested, facts={**tested.facts, "temperature": t}), found).probabilities for t in (1.0, 9.0)
    )
    assert cool.sum(1) == pytest.approx(1)
    assert (cool.argmax(1) == hot.argmax(1)).all()
    assert (cool.max(1) > hot.max(1)).all()
    assert cool == pytest.approx(found.logits.softmax(-1).numpy(), abs=1e-5)


def test_quality_is_judged_where_the_temperature_depends_on_it(tested: Planned, tmp_path: Path) -> None:
    assert (measured(tested, tmp_path / "a.safetensors").quality == 1).all()
    restate(tested.model, temperature_slope=1.0)
    sloped = replace(tested, facts={**tested.facts, "temperature_slope": 1.0})
    judged = measured(sloped, tmp_path / "b.safetensors").quality
    assert ((judged > 0) & (judged < 1)).all()
