from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("peft")

from mimica.generation import tuned
from tiny_generator import write_tiny
from tiny_pool import glancing, seen, write_clips

Run = Callable[..., tuple[int, str, str]]
SHORT = (
    "--rule", "draft", "--iterations", 1, "--groups", 1, "--group", 2, "--steps", 2, "--rank", 2, "--targets", 2,
    "--quality-at", 2,
)  # fmt: skip


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[object, ...]:
    monkeypatch.setattr(tuned, "load_sight", seen)
    monkeypatch.setattr(tuned, "judge_of", glancing)
    monkeypatch.setattr(tuned, "HELD_OUT", 2)
    model = write_tiny(tmp_path / "tiny.safetensors")
    return ("augment", "tune", "--data", write_clips(tmp_path / "data"), "--model", model, "--out", "o", *SHORT)


def test_the_last_line_is_what_held_out_judges_say_before_and_after(mimica: Run, ask: tuple[object, ...]) -> None:
    code, out, err = mimica(*ask)
    assert code == 0, err
    first, *_, adapter, last = out.strip().splitlines()
    assert first.startswith("iteration 0: judges that reward ")
    assert Path(adapter) == Path("o/adapter.safetensors")
    assert Path(adapter).is_file()
    assert last.startswith("By judges that rewarded nothing, of held-out plans: unit correlation ")
    assert " before, " in last
    code, out, err = mimica(*ask, "--resume")
    assert code == 0, err
    assert out.strip().splitlines()[-1] == last


def test_data_without_unit_curves_is_a_sentence_and_nothing_is_written(mimica: Run, ask: tuple[object, ...]) -> None:
    Path("plain.csv").write_text("path,label,part\na,fear,train\n")
    code, _, err = mimica(*ask, "--data", "table:plain.csv")
    assert code == 1
    assert "has no unit curves" in err
    assert not Path("o").exists()
