"""Training from the command line to a recogniser that reads, and what is refused on the way."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from drawn import alone, film, photo
from mimica import checkpoint
from mimica.cli import DONE, FAILED, USAGE
from mimica.encoders import named
from mimica.encoders.keys import OPENAI_MARKS
from mimica.labels import LabelSpace
from mimica.recognition.registry import METHODS
from tiny_clip import original, write_clip

Run = Callable[..., tuple[int, str, str]]
PAIR = {"name": "pair", "names": ["up", "down"], "descriptions": ["the brows rise", ["the lips sink", "a face"]]}
pytestmark = pytest.mark.usefixtures("minilm")


def write_table(folder: Path, *, space: dict[str, Any] = PAIR, labels: tuple[str, ...] = ("up", "down")) -> Path:
    """Four drawn pictures of each label to learn from and one to calibrate on, with their label space beside them."""
    folder.mkdir()
    rows = []
    for c, label in enumerate(labels):
        pattern = np.random.default_rng(c).integers(60, 200, (6, 6, 3)).repeat(8, 0).repeat(8, 1)
        for i in range(5):
            noise = np.random.default_rng(100 * c + i).integers(-20, 20, pattern.shape)
            photo(folder / f"{label}{i}.png", (pattern + noise).astype(np.uint8))
            rows.append({"path": f"{label}{i}.png", "label": label, "part": "train" if i else "calibration"})
    with (folder / "clips.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=["path", "label", "part"])
        writer.writeheader()
        writer.writerows(rows)
    (folder / "label_space.json").write_text(json.dumps(space))
    return folder / "clips.csv"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_table(tmp_path / "clips")


@pytest.fixture
def clip(tiny_clip: Path, tmp_path: Path) -> Path:
    """The folder of a tiny CLIP that a test may move."""
    return Path(shutil.copytree(tiny_clip, tmp_path / "tiny-clip"))


def quick(encoder: object, table: Path, *, epochs: int = 1) -> list[object]:
    return ["train", "duse_vit_b32", "--encoder", encoder, "--data", f"table:{table}", "--out", "run", "--batch", "4",
            "--epochs", epochs]  # fmt: skip


def labels_of(out: str) -> set[str]:
    """Every label that JSON lines give a share to."""
    return {label for line in out.splitlines() for label in json.loads(line)["probabilities"]}


# From pictures to readings


def test_duse_on_a_clip_is_trained_and_then_reads_shows_and_measures(
    mimica: Run, clip: Path, table: Path, tmp_path: Path
) -> None:
    code, out, err = mimica(*quick(clip, table, epochs=2))
    assert (code, err) == (DONE, "")
    path = Path(out.splitlines()[-1])
    assert (tmp_path / path) == tmp_path / "run" / "duse-tiny-clip.safetensors"
    facts = checkpoint.read_facts(path)
    assert (facts["encoder"], facts["recipe"]["loop"]["epochs"]) == (str(clip), 2)
    assert LabelSpace.from_facts(facts["labels"]) == LabelSpace.from_facts(PAIR)
    assert (facts["data"]["clips"], facts["calibrated_on"]["clips"]) == (8, 2)
    assert facts["metrics"].keys() == {"war", "uar", "ece", "degraded"}

    source = film(tmp_path / "clip.mp4", alone(10), rate=5)
    reading = ["--faces", "none", "--fps", "5", "--window", "4"]
    code, out, _ = mimica("predict", source, "--model", "run", *reading, "--out", "-")
    assert (code, labels_of(out)) == (DONE, {"up", "down"})
    code, out, _ = mimica("models", "show", "run")
    assert code == DONE
    assert all(said in out for said in ("duse", "beta", str(clip)))
    code, out, _ = mimica("evaluate", f"table:{table}", "--model", "run", *reading)
    assert (code, "10 files, 0 not read" in out) == (DONE, True)


@pytest.mark.parametrize("method", [method for method in METHODS if not method.startswith("ous")])
def test_every_method_of_faces_is_trained_on_a_compact_encoder_and_then_reads(
    mimica: Run, tiny_encoder: Path, table: Path, method: str
) -> None:
    code, out, err = mimica(*quick(tiny_encoder, table), "--method", method)
    assert (code, err) == (DONE, "")
    assert out.splitlines()[-1] == f"run/{method}-compact-tiny.safetensors"
    code, out, _ = mimica("predict", table.parent / "up1.png", "--model", "run", "--faces", "none", "--out", "-")
    assert (code, labels_of(out)) == (DONE, {"up", "down"})


def test_a_method_that_reads_scenes_is_trained_on_them_and_reads_no_face_without_one(
    mimica: Run, tiny_encoder: Path, tmp_path: Path
) -> None:
    table = write_table(tmp_path / "clips", space={**PAIR, "polarity": [1, -1]})
    code, _, err = mimica(*quick(tiny_encoder, table), "--method", "ous")
    assert code == USAGE
    assert "ous reads the scene beside each face, and the clips of clips.csv, part" in err
    rows = list(csv.DictReader(table.open()))
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=["path", "label", "part", "scene"])
        writer.writeheader()
        writer.writerows({**row, "scene": rows[i - 1]["path"]} for i, row in enumerate(rows))
    typed = [*quick(tiny_encoder, table), "--method", "ous", "--options", "blocks=1", "--schedule", "plateau"]
    code, out, err = mimica(*typed)
    assert (code, err) == (DONE, "")
    assert out.splitlines()[-1] == "run/ous-compact-tiny.safetensors"
    facts = checkpoint.read_facts(Path(out.splitlines()[-1]))
    assert (facts["config"]["blocks"], facts["recipe"]["loop"]["schedule"]) == (1, "plateau")
    assert facts["metrics"].keys() == {"war", "uar", "ece", "degraded"}
    code, out, _ = mimica("models", "show", "run")
    assert (code, "beside arXiv 2405.18769" in out) == (DONE, True)
    code, _, err = mimica("calibrate", "run", "--data", f"table:{table}")
    assert (code, err) == (DONE, "")
    code, _, err = mimica("predict", table.parent / "up1.png", "--model", "run", "--faces", "none", "--out", "-")
    assert code != DONE
    assert "take a model of faces alone, such as duse-compact" in err


def test_a_preset_of_duse_is_chosen_and_a_former_name_of_the_recipe_is_understood(
    mimica: Run, tiny_encoder: Path, table: Path
) -> None:
    typed = ["duse_clip" if word == "duse_vit_b32" else word for word in quick(tiny_encoder, table)]
    code, out, _ = mimica(*typed, "--preset", "duse-paper")
    path = Path(out.splitlines()[-1])
    assert (code, path.name) == (DONE, "duse-paper-compact-tiny.safetensors")
    assert checkpoint.read_facts(path)["config"]["coupling"] == "linear_relu"


def test_options_are_those_of_what_is_trained(mimica: Run, tiny_encoder: Path, table: Path) -> None:
    code, out, _ = mimica(*quick(tiny_encoder, table), "--options", "beta=0.5", "coupling=linear", "depth=2")
    config = checkpoint.read_facts(Path(out.splitlines()[-1]))["config"]
    assert code == DONE
    assert (config["beta"], config["coupling"], config["depth"]) == (0.5, "linear", 2)


def test_which_frames_are_read_is_the_recipes_unless_it_is_said(mimica: Run, tiny_encoder: Path, table: Path) -> None:
    def sampled(*flags: str) -> str:
        code, out, _ = mimica(*quick(tiny_encoder, table), *flags)
        assert code == DONE
        return str(checkpoint.read_facts(Path(out.splitlines()[-1]))["recipe"]["sampling"])

    assert (sampled(), sampled("--sampling", "stride:2")) == ("segment", "stride:2")
    code, _, err = mimica(*quick(tiny_encoder, table), "--sampling", "segments")
    assert code == USAGE
    assert "unknown sampling 'segments'; did you mean 'segment'? Choose from: segment, tsn8x2, stride, " in err


def test_balance_adjustment_and_the_size_of_an_epoch_are_the_recipes_unless_they_are_said(
    mimica: Run, tiny_encoder: Path, table: Path
) -> None:
    def trained(*flags: str) -> tuple[float, float, int | None]:
        code, out, _ = mimica(*quick(tiny_encoder, table), *flags)
        recipe = checkpoint.read_facts(Path(out.splitlines()[-1]))["recipe"]
        assert code == DONE
        return recipe["balance"], recipe["adjust"], recipe["per_epoch"]

    assert trained() == (0.0, 0.0, None)
    assert trained("--balance", "0.5", "--adjust", "1", "--per-epoch", "5") == (0.5, 1.0, 5)
    assert trained("--per-epoch", "0") == (0.0, 0.0, None)


def test_to_select_on_what_there_is_not_is_refused_and_by_default_the_last_epoch_is_kept(
    mimica: Run, tiny_encoder: Path, table: Path
) -> None:
    table.write_text("".join(line for line in table.read_text().splitlines(True) if "calibration" not in line))
    code, _, err = mimica(*quick(tiny_encoder, table), "--select-on", "validation")
    assert code == USAGE
    assert "has nothing to validate on; give clips the part validation, or leave out --select-on" in err
    code, _, err = mimica(*quick(tiny_encoder, table), "--select-on", "test")
    assert code == FAILED
    assert "has no clip of the part test; it has train" in err
    code, out, _ = mimica(*quick(tiny_encoder, table))
    assert (code, out.splitlines()[-2]) == (DONE, "kept: epoch 1 of 1, the last")


def test_a_run_is_resumed_and_not_with_another_encoder(
    mimica: Run, clip: Path, tiny_encoder: Path, table: Path
) -> None:
    assert mimica(*quick(clip, table))[0] == DONE
    before = Path("run/metrics.jsonl").read_text()
    assert mimica(*quick(clip, table), "--resume")[0] == DONE
    assert Path("run/metrics.jsonl").read_text() == before
    code, _, err = mimica(*quick(tiny_encoder, table), "--resume")
    assert code == FAILED
    assert "was made with another encoder; resume with the same or choose another --out" in err


def test_a_clip_that_has_moved_is_found_beside_the_model_or_asked_for(mimica: Run, clip: Path, table: Path) -> None:
    assert mimica(*quick(clip, table), "--method", "zero-shot")[0] == DONE
    read = ["predict", table.parent / "up1.png", "--model", "run", "--faces", "none", "--out", "-"]
    moved = clip.rename(clip.with_name("away"))
    code, _, err = mimica(*read)
    assert code == FAILED
    assert f"needs the encoder {clip}, which is not there; copy it beside zero-shot-tiny-clip.safetensors" in err
    moved.rename(Path("run") / clip.name)
    assert mimica(*read)[0] == DONE


# What is refused before an encoder is opened


@pytest.fixture
def unopened(monkeypatch: pytest.MonkeyPatch) -> None:
    """No encoder may be opened."""
    monkeypatch.setattr(named, "open_encoder", lambda name: pytest.fail(f"{name} was opened"))


@pytest.mark.usefixtures("unopened", "table")
@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        (
            {"": "duse_vit_b3"},
            USAGE,
            "unknown training recipe 'duse_vit_b3'; did you mean 'duse_vit_b32'? Choose from: ",
        ),
        ({"--method": "dus"}, USAGE, "unknown method 'dus'; did you mean 'duse'? Choose from: duse, duse-paper, ous, "),
        ({"--preset": "duse", "--method": "coop"}, USAGE, "--preset duse is DuSE, and --method says coop; give one"),
        ({"--options": "bta=1"}, USAGE, "unknown option of DuSE 'bta'; did you mean 'beta'? Choose from: htpc, "),
        ({"--options": "beta=much"}, USAGE, "beta of DuSE is a number such as 0.7, got 'much'"),
        ({"--options": "lsea=off"}, USAGE, "unknown lsea of DuSE 'off'. Choose from: on, mean"),
        ({"--method": "linear-probe", "--options": "a=1"}, USAGE, "linear-probe has no options, got a=1"),
        (
            {"--select-on": "tst"},
            USAGE,
            "unknown part to select on 'tst'; did you mean 'test'? Choose from: validation",
        ),
        ({"--adjust": "-1"}, USAGE, "adjust is 0 or more, 1 for as much as the classes differ, not -1"),
        ({"--precision": "fp8"}, USAGE, "unknown precision 'fp8'. Choose from: no, bf16, fp16"),
        ({"--data": "tabel:x.csv"}, USAGE, "unknown kind of data 'tabel'. Choose from: folder:PATH, table:PATH, fer2"),
        ({"--data": "table:gone.csv"}, FAILED, "there is no gone.csv (given as table:gone.csv)"),
        ({"--out": "clips/clips.csv"}, USAGE, "clips/clips.csv is a file; choose another folder with --out"),
        ({"--out": "clips/clips.csv/run"}, USAGE, "clips/clips.csv is a file; choose another folder with --out"),
    ],
)
def test_what_was_typed_wrong_is_said_before_an_encoder_is_opened(
    mimica: Run, changes: dict[str, str], code: int, said: str
) -> None:
    given = {"": "duse_vit_b32", "--data": "table:clips/clips.csv", "--out": "run", **changes}
    found, _, err = mimica("train", *(word for flag, value in given.items() for word in (flag, value) if word))
    assert (found, err.count("\n")) == (code, 1)
    assert said in err
    assert not Path("run").exists()


@pytest.mark.usefixtures("unopened")
def test_a_label_space_that_is_none_is_said_before_an_encoder_is_opened(mimica: Run, table: Path) -> None:
    table.with_name("label_space.json").write_text('{"names": ["up"]}')
    code, _, err = mimica(*quick("compact", table))
    assert code == FAILED
    assert "label_space.json: a label space is stated as JSON with the lists 'names' and 'descriptions'" in err


# What is refused once it is


@pytest.mark.parametrize(
    ("encoder", "code", "said"),
    [
        (
            "compat",
            USAGE,
            "unknown encoder 'compat'; did you mean 'compact'? Choose from: compact, a path, a CLIP's name",
        ),
        ("gone/x/y", FAILED, "there is no folder gone/x/y; give a CLIP's folder or its name on the Hugging Face hub"),
        ("clips/", FAILED, "cannot read the CLIP in clips/: "),
        ("duse-compact", USAGE, "duse-compact.safetensors is of the kind 'recogniser', not an encoder"),
    ],
)
def test_an_encoder_that_is_none_is_a_sentence(mimica: Run, table: Path, encoder: str, code: int, said: str) -> None:
    found, _, err = mimica(*quick(encoder, table))
    assert (found, err.count("\n")) == (code, 1)
    assert said in err


def test_a_clips_file_needs_its_tokenizer_beside_it(mimica: Run, clip: Path, table: Path) -> None:
    file = table.parent / "ViT.safetensors"
    marks = {name: torch.tensor(0) for name in OPENAI_MARKS}
    save_file(original(load_file(clip / "model.safetensors")) | marks, file)
    code, _, err = mimica(*quick(file, table))
    assert (code, err.count("\n")) == (FAILED, 1)
    assert f"{file.parent} holds no tokenizer; it needs vocab.json and merges.txt, or tokenizer.json" in err
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(clip / name, file.parent)
    assert mimica(*quick(file, table))[0] == DONE


def test_a_depth_beyond_the_shallower_tower_says_why_and_offers_the_deepest(
    mimica: Run, table: Path, tmp_path: Path
) -> None:
    deep = tmp_path / "deep-clip"
    deep.mkdir()
    write_clip(deep, vision_layers=6)  # as in ViT-L/14, twice as many as the text tower has
    code, _, err = mimica(*quick(deep, table), "--options", "depth=deep")
    assert code == USAGE
    assert "depth deep means 4 prompted layers, but each couples a vision layer to a text layer" in err
    assert "the towers have 6 and 3; choose depth=3 or another number from 0 to 3" in err
    assert mimica(*quick(deep, table), "--options", "depth=3")[0] == DONE


@pytest.mark.parametrize(("kind", "fit"), [("clip", 71), ("compact", 254)])
def test_a_class_text_that_is_too_long_for_the_text_tower_is_refused_and_not_cut(
    mimica: Run, clip: Path, tiny_encoder: Path, tmp_path: Path, kind: str, fit: int
) -> None:
    encoder = {"clip": clip, "compact": tiny_encoder}[kind]
    for words, code in ((fit, DONE), (fit + 1, USAGE)):
        descriptions = ["a " * words, "the lips sink"]
        table = write_table(tmp_path / f"clips{words}", space=PAIR | {"descriptions": descriptions})
        found, _, err = mimica(*quick(encoder, table))
        assert found == code
    assert f"has {fit + 1} tokens, but beside {4 if kind == 'clip' else 0} prompts {fit} fit; shorten it" in err


def test_a_class_that_the_label_space_has_not_is_named_with_its_row_and_the_choices(
    mimica: Run, tiny_encoder: Path, table: Path
) -> None:
    table.write_text(table.read_text().replace("up2.png,up", "up2.png,upp"))
    code, _, err = mimica(*quick(tiny_encoder, table))
    assert (code, err.count("\n")) == (FAILED, 1)
    assert "clips.csv, row 4: unknown label 'upp'; did you mean 'up'? Choose from: up, down" in err


# Generated clips beside real ones


@pytest.fixture
def made(table: Path, tmp_path: Path) -> Path:
    """Generated clips of both classes, their labels soft, each made from a clip to learn from."""
    path = write_table(tmp_path / "made")
    rows = [
        {"path": f"{label}{i}.png", "label": label, "made_from": f"{label}{i}.png", label: 0.9, other: 0.1}
        for label, other in (("up", "down"), ("down", "up"))
        for i in range(1, 5)
    ]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=["path", "label", "made_from", "up", "down"])
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize("method", ["duse", "linear-probe"])
def test_generated_clips_are_learned_from_and_never_measured_on(
    mimica: Run, tiny_encoder: Path, table: Path, made: Path, method: str
) -> None:
    typed = [*quick(tiny_encoder, table, epochs=2), "--method", method, "--generated", f"table:{made}"]
    code, _, err = mimica(*typed, "--generated-weight", 0.6, "--real-last", 0.5)
    assert (code, err) == (DONE, "")
    told = json.loads(Path("run/results.json").read_text())
    assert {part: of["clips"] for part, of in told["data"].items()} == {"train": 8, "validation": 2}
    mixed = {"clips": 8, "share": 0.5, "weight": 0.6, "real_last": 0.5, "soft_labels": True}
    assert told["generated"] | mixed == told["generated"]
    assert sum(told["generated_used"]["times"].values()) == 2 * 2  # two of four clips in both batches of one epoch


def test_what_generated_clips_may_not_be_is_one_sentence(
    mimica: Run, tiny_encoder: Path, table: Path, made: Path
) -> None:
    typed = quick(tiny_encoder, table)
    for more, said in (
        (["--generated-share", 0.4], "name a --generated"), (["--generated", f"table:{table}"], "made_from"),
        (["--generated", f"table:{made}", "--generated-share", 0.7], "0 to 0.5 of a batch, not 0.7"),
        (["--generated", f"table:{made}", "--schedule", "plateau"], "choose --schedule cosine"),
        (["--generated", f"folder:{made.parent}"], "table:FILE"),
    ):  # fmt: skip
        code, _, err = mimica(*typed, *more)
        assert code == USAGE
        assert said in " ".join(err.split())
    made.write_text(made.read_text().replace("down,down1.png", "down,down0.png"))
    code, _, err = mimica(*typed, "--generated", f"table:{made}")
    assert code == USAGE
    assert "was made from down0.png, which is none of the clips of" in " ".join(err.split())
