from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mimica.clips import Face
from mimica.faces import detect
from mimica.video.read import open_video
from tiny_generator import write_tiny

Run = Callable[..., tuple[int, str, str]]


class Middle:
    """Finds one face in the middle of every picture that is not black, and a smaller one beside it."""

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        found = []
        for image in images:
            H, W = image.shape[:2]
            large = Face(box=np.array([W * 0.25, H * 0.25, W * 0.75, H * 0.75]), score=0.8)
            small = Face(box=np.array([0.0, 0.0, W * 0.2, H * 0.2]), score=0.9)
            found.append([small, large] if image.any() else [])
        return found


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A photo of a drawn face."""
    from mimica.data import actor

    monkeypatch.setattr(detect, "DETECTORS", {"mtcnn": lambda min_face, device: Middle()})
    drawn = actor.clips(1, size=64, frames=1, part="test", seed=0).face[0, 0].permute(1, 2, 0).numpy()
    Image.fromarray(drawn).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_tiny(tmp_path / "tiny.safetensors")


def test_a_photo_becomes_a_clip_for_each_intensity_a_strip_and_where_they_come_from(
    mimica: Run, photo: Path, model: Path
) -> None:
    ask = ("augment", "generate", "--face", photo, "--label", "surprise", "--intensity", 0.2, 1, "--out", "o")
    code, out, _ = mimica(*ask, "--model", model, "--frames", 9, "--steps", 2, "--seed", 3)
    assert code == 0
    assert "a preview" in out
    assert "synthetic" in out
    assert sorted(path.name for path in Path("o").iterdir()) == [
        "surprise-0.2.json", "surprise-0.2.mp4", "surprise-1.json", "surprise-1.mp4", "surprise.png",
    ]  # fmt: skip
    with open_video("o/surprise-1.mp4") as video:
        frames = list(video)
    assert [frame.time for frame in frames] == pytest.approx([number / 8 for number in range(9)], abs=1e-3)
    assert frames[0].image.shape == (64, 64, 3)
    facts = json.loads(Path("o/surprise-1.json").read_text())
    assert facts["synthetic"] is True
    assert "preview" in facts["note"]
    assert facts["plan"]["label"] == "surprise"
    assert max(unit["strength"] for unit in facts["plan"]["units"]) == 1
    assert facts["generator"]["backend"] == "tiny"
    assert facts["sampling"]["seed"] == 3
    assert facts["photo"]["box"] == [16, 16, 48, 48]
    assert len(facts["photo"]["sha256"]) == 64
    assert Image.open("o/surprise.png").size == (130 + 9 * 96, 2 * 96)
    assert "synthetic" in Image.open("o/surprise.png").text["Description"]  # type: ignore[attr-defined]


def test_clips_that_are_there_are_kept_and_other_settings_make_others(mimica: Run, photo: Path, model: Path) -> None:
    ask = ["augment", "generate", "--face", photo, "--label", "fear", "--intensity", 0.5, "--out", "o"]
    ask += ["--model", model, "--steps", 2, "--frames", 9]
    assert mimica(*ask)[0] == 0
    made = Path("o/fear-0.5.mp4")
    first, bytes_ = made.stat().st_mtime_ns, made.read_bytes()
    assert mimica(*ask)[0] == 0
    assert made.stat().st_mtime_ns == first
    assert mimica(*ask, "--seed", 1)[0] == 0
    assert made.read_bytes() != bytes_
    assert mimica(*ask)[0] == 0
    assert made.read_bytes() == bytes_


def test_stronger_intensities_are_planned_stronger_and_nothing_else(mimica: Run, photo: Path, model: Path) -> None:
    ask = ("augment", "generate", "--face", photo, "--label", "anger", "--intensity", 0.25, 0.5, "--out", "o")
    assert mimica(*ask, "--model", model, "--frames", 9, "--steps", 2)[0] == 0
    weak, strong = (json.loads(Path(f"o/anger-{i}.json").read_text())["plan"] for i in ("0.25", "0.5"))
    for a, b in zip(weak["units"], strong["units"], strict=True):
        assert b["strength"] == pytest.approx(2 * a["strength"], abs=2e-4)
        assert (a["unit"], a["onset"]) == (b["unit"], b["onset"])


def test_the_weights_are_read_once_for_a_whole_ladder(
    mimica: Run, photo: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mimica.generation.diffusion.tiny import Tiny

    asked, state = [], Tiny.state
    monkeypatch.setattr(Tiny, "state", lambda self: asked.append(self) or state(self))
    ask = ("augment", "generate", "--face", photo, "--label", "anger", "--intensity", 0.25, 0.5, "--out", "o")
    assert mimica(*ask, "--model", model, "--frames", 9, "--steps", 2)[0] == 0
    assert len(asked) == 1
    stated = [json.loads(Path(f"o/anger-{i}.json").read_text())["generator"] for i in ("0.25", "0.5")]
    assert stated[0] == stated[1] == json.loads(json.dumps(state(asked[0])))


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("--label", "joyless"), 2, "unknown class 'joyless'"),
        (("--label", "fear", "--units", "3"), 2, "there is no Action Unit 3"),
        (("--label", "fear", "--units", "24", "25"), 2, "24 and 25 exclude each other"),
        (("--label", "fear", "--intensity", "1.5"), 2, "above 0 and at most 1, got 1.5"),
        (("--label", "fear", "--steps", "0"), 2, "steps must be 2 to 1000"),
        (("--label", "fear", "--model", "nowhere.safetensors"), 1, "there is no nowhere.safetensors; train it"),
        (("--label", "fear", "--face", "nowhere.png"), 1, "there is no picture nowhere.png"),
        (("--label", "fear", "--face", "black.png"), 1, "black.png shows no face"),
    ],
)
def test_what_cannot_be_generated_is_one_sentence_and_nothing_is_written(
    mimica: Run, photo: Path, model: Path, flags: tuple[str, ...], code: int, said: str
) -> None:
    Image.new("RGB", (64, 64)).save("black.png")
    given = {"--face": (photo,), "--model": (model,)}
    asked = [value for flag, values in given.items() if flag not in flags for value in (flag, *values)]
    found, _, err = mimica("augment", "generate", "--out", "o", *asked, *flags)
    assert found == code
    assert said in err
    assert err.count("\n") == 1
    assert not Path("o").exists()


@pytest.mark.parametrize("backend", ["wan", "ltx", "cogvideox"])
def test_a_large_generator_that_is_not_there_is_named_with_its_size_or_its_extra(
    mimica: Run, photo: Path, backend: str
) -> None:
    ask = ("augment", "generate", "--face", photo, "--label", "fear", "--out", "o", "--backend", backend)
    code, _, err = mimica(*ask, "--model", "nowhere")
    assert code == 1
    assert "mimica[generate]" in err or ("nowhere" in err and " GB" in err and "--model" in err)
    assert err.count("\n") == 1


def test_a_generator_is_trained_from_the_command_line_and_gone_on_with(mimica: Run) -> None:
    size = ("--rig-epochs", 1, "--epochs", 1, "--fresh", 2, "--again", 1, "--batch", 2)
    code, out, _ = mimica("augment", "train", "--out", "run", *size)
    assert code == 0
    assert out.strip().endswith("run/tiny.safetensors")
    made = Path("run/tiny.safetensors").read_bytes()
    assert mimica("augment", "train", "--out", "run", *size, "--resume")[0] == 0
    assert Path("run/tiny.safetensors").read_bytes() == made
    code, _, err = mimica("augment", "train", "--out", "run", *size, "--frames", 8)
    assert (code, "9 to 17 frames" in err) == (2, True)


def test_too_little_memory_is_said_with_a_smaller_setting_and_what_is_finished_is_kept(
    mimica: Run, photo: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mimica.generation import sampling

    real, made = sampling.sample, []

    def short(*given: object, **how: object) -> object:
        made.append(1)
        if len(made) > 1:
            raise MemoryError
        return real(*given, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(sampling, "sample", short)
    ask = ("augment", "generate", "--face", photo, "--label", "fear", "--intensity", 0.5, 1, "--out", "o")
    code, _, err = mimica(*ask, "--model", model, "--frames", 12, "--steps", 2)
    assert (code, err.count("\n")) == (2, 1)
    assert "12 frames by tiny need more memory than there is; take fewer with --frames, 9 at the least" in err
    assert sorted(path.name for path in Path("o").iterdir()) == ["fear-0.5.json", "fear-0.5.mp4"]
