from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mimica import checkpoint
from mimica.generation.rewards.sight import load_sight

Run = Callable[..., tuple[int, str, str]]
SHORT = ("--epochs", 1, "--people", 4, "--clips", 2, "--frames", 2, "--again", 1, "--batch", 2, "--tested", 14)


@pytest.mark.parametrize(
    ("flags", "name", "shape"),
    [((), "sight-rewarding", "strided"), (("--held-out",), "sight-held-out", "attending")],
)
def test_a_sight_is_trained_measured_and_where_it_lies_is_told(
    mimica: Run, flags: tuple[str, ...], name: str, shape: str
) -> None:
    code, out, _ = mimica("augment", "judge", "--out", "o", *SHORT, *flags)
    assert code == 0
    lines = out.split("\n")
    assert str(Path("o") / f"{name}.safetensors") in lines
    assert any(line.startswith("unit r: ") for line in lines)
    assert any(line.startswith("verification: ") for line in lines)
    path = Path("o") / f"{name}.safetensors"
    assert load_sight(path).config.shape == shape
    assert checkpoint.read_facts(path)["trained"]["people"] == 4


def test_a_run_goes_on_and_one_under_other_settings_is_refused_in_a_sentence(mimica: Run) -> None:
    assert mimica("augment", "judge", "--out", "o", *SHORT)[0] == 0
    first = (Path("o") / "sight-rewarding.safetensors").read_bytes()
    code, out, _ = mimica("augment", "judge", "--out", "o", *SHORT, "--resume")
    assert code == 0
    assert "epoch 1 of" not in out, "nothing was left to learn"
    assert (Path("o") / "sight-rewarding.safetensors").read_bytes() == first
    code, _, err = mimica("augment", "judge", "--out", "o", *SHORT, "--again", 2, "--resume")
    assert code == 1
    assert "another again" in err


def test_settings_that_cannot_be_end_before_anything_is_drawn(mimica: Run) -> None:
    code, _, err = mimica("augment", "judge", "--out", "o", "--people", 4, "--batch", 8)
    assert code == 2
    assert "batch must be 2 to 4" in err
    assert not Path("o").exists()
