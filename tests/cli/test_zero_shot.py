"""`mimica zero-shot` through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from drawn import photo
from mimica.cli import DONE, FAILED, USAGE
from mimica.encoders.towers import DualEncoder, pixels
from mimica.labels import EXPRESSIONS
from mimica.recognition import registry

Run = Callable[..., tuple[int, str, str]]
pytestmark = pytest.mark.usefixtures("minilm")


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Three pictures of fear and one of anger; all noise."""
    root = tmp_path / "faces"
    for name, number in (("fear", 3), ("anger", 1)):
        (root / name).mkdir(parents=True)
        for j in range(number):
            image = np.random.default_rng(10 * number + j).integers(0, 256, (48, 48, 3), dtype=np.uint8)
            photo(root / name / f"{j}.png", image)
    return root


def told(faces: Path, encoder: Path, *more: object) -> list[object]:
    return ["zero-shot", f"folder:{faces}", "--encoder", encoder, "--faces", "none", "--json", "zero.json", *more]


def test_a_file_is_read_as_the_class_whose_text_is_nearest_and_nothing_is_learned(
    mimica: Run, faces: Path, tiny_encoder: Path, tiny_dual: DualEncoder
) -> None:
    from PIL import Image

    code, out, err = mimica(*told(faces, tiny_encoder))
    assert code == DONE, err
    facts = json.loads(Path("zero.json").read_text())
    table = np.zeros((7, 7), int)
    with torch.no_grad():
        texts = torch.nn.functional.normalize(tiny_dual.text([d[0] for d in EXPRESSIONS.descriptions]), dim=-1)
        for path in sorted(faces.rglob("*.png")):
            seen = tiny_dual.vision(tiny_dual.vision.normalise(pixels(np.array(Image.open(path))[None])))
            table[EXPRESSIONS.index(path.parent.name), int((seen @ texts.T).argmax())] += 1
    assert facts["confusion"] == table.tolist()
    assert (facts["n"], facts["texts"], facts["learned_classes"]) == (4, "first", [])
    assert "WAR" in out
    assert "UAR" in out
    assert "fear: the brows are raised" in out


def test_every_class_with_files_has_its_recall_with_an_interval(mimica: Run, faces: Path, tiny_encoder: Path) -> None:
    mimica(*told(faces, tiny_encoder))
    facts = json.loads(Path("zero.json").read_text())
    assert facts["per_class"]["happiness"] is None
    assert facts["per_class_interval"]["happiness"] is None
    low, high = facts["per_class_interval"]["fear"]
    assert 0 <= low <= facts["per_class"]["fear"] <= high <= 1
    assert high - low > 0.3, "three files tell little"


@pytest.mark.parametrize("by", ["words", "file"])
def test_own_descriptions_are_what_is_read(mimica: Run, faces: Path, tiny_encoder: Path, by: str) -> None:
    said = {"fear": "eyes wide and lips", "anger": "the brows"}
    given: list[object] = [f"{name}={text}" for name, text in said.items()]
    if by == "file":
        Path("own.json").write_text(json.dumps({"names": [*said], "descriptions": [*said.values()]}))
        given = ["own.json"]
    code, out, err = mimica(*told(faces, tiny_encoder), "--classes", *given)
    assert code == DONE, err
    facts = json.loads(Path("zero.json").read_text())
    assert facts["labels"] == ["fear", "anger"]
    assert "eyes wide and lips" in out
    mimica(*told(faces, tiny_encoder), "--classes", "fear=the brows", "anger=eyes wide and lips")
    swapped = json.loads(Path("zero.json").read_text())
    assert swapped["confusion"] == [row[::-1] for row in facts["confusion"]]


def test_the_mean_of_all_descriptions_can_stand_for_a_class(mimica: Run, faces: Path, tiny_encoder: Path) -> None:
    assert mimica(*told(faces, tiny_encoder, "--texts", "mean", "--out", "kept"))[0] == DONE
    assert json.loads(Path("zero.json").read_text())["texts"] == "mean"
    config = registry.load("kept").facts["config"]
    assert (config["texts"], config["htpc"], config["lsea"]) == ("mean", "none", "mean")


def test_it_can_be_kept_as_a_recogniser_that_reads_the_same(mimica: Run, faces: Path, tiny_encoder: Path) -> None:
    code, out, _ = mimica(*told(faces, tiny_encoder, "--out", "kept"))
    assert (code, out.splitlines()[0]) == (DONE, "kept/zero-shot-compact-tiny.safetensors")
    code, _, err = mimica("evaluate", f"folder:{faces}", "--model", "kept", "--faces", "none", "--json", "again.json")
    assert code == DONE, err
    before, after = (json.loads(Path(name).read_text()) for name in ("zero.json", "again.json"))
    assert after["confusion"] == before["confusion"]


def test_a_trained_recogniser_is_told_of_classes_that_it_did_not_learn(
    mimica: Run, faces: Path, tiny_model: Path
) -> None:
    (faces / "anger").rename(faces / "bored")
    code, out, err = mimica(
        "zero-shot", f"folder:{faces}", "--model", tiny_model, "--faces", "none", "--json", "zero.json",
        "--out", "kept", "--classes", "fear", "bored=a face and the lips",
    )  # fmt: skip
    assert code == DONE, err
    facts = json.loads(Path("zero.json").read_text())
    assert facts["labels"] == ["fear", "bored"]
    assert facts["learned_classes"] == list(EXPRESSIONS.names)
    assert "a face that shows fear" in out
    assert registry.load("kept").space.names == ("fear", "bored")


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--model", "duse-compact"], USAGE, "either --encoder, whose texts are measured as they are, or --model"),
        (["--classes", "fear"], USAGE, "needs two or more distinct class names"),
        (["--classes", "none.json"], FAILED, "cannot read none.json as JSON"),
        (["--classes", "fear", "joy"], USAGE, "anger"),
        (["--device", "toaster"], USAGE, "no device 'toaster'"),
        (["--out", "faces/fear/0.png"], USAGE, "is a file"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    mimica: Run, faces: Path, tiny_encoder: Path, more: list[str], code: int, said: str
) -> None:
    found, _, err = mimica(*told(faces, tiny_encoder, *more))
    assert found == code
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_texts_are_refused_where_a_recogniser_has_its_own_way(mimica: Run, faces: Path, tiny_model: Path) -> None:
    code, _, err = mimica("zero-shot", f"folder:{faces}", "--model", tiny_model, "--texts", "mean")
    assert (code, "--texts is for --encoder" in err) == (USAGE, True)
