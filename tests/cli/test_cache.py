"""`mimica cache`: its size is told first, it is gone on with, it serves every fold, and is refused in a sentence."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from drawn import photo
from mimica import checkpoint
from mimica.cli import DONE, FAILED, USAGE
from mimica.encoders.cache import Cache

Run = Callable[..., tuple[int, str, str]]
pytestmark = pytest.mark.usefixtures("minilm")
PAIR = {"name": "pair", "names": ["up", "down"], "descriptions": ["the brows rise", "the lips sink"],
        "polarity": [1, -1]}  # fmt: skip
SMALL = ["--options", "blocks=1", "frames_layers=1", "prompt=2"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Twelve clips of three pictures, each before a scene, in three folds."""
    folder, rows = tmp_path / "clips", []
    for i in range(12):
        for view in ("face", "scene"):
            for t in range(3):
                coarse = np.random.default_rng((i, t, len(view))).integers(0, 255, (6, 6, 3), dtype=np.uint8)
                place = folder / view / f"{i:02d}"
                place.mkdir(parents=True, exist_ok=True)
                photo(place / f"{t}.png", coarse.repeat(8, 0).repeat(8, 1))
        rows.append(
            {"path": f"face/{i:02d}", "label": PAIR["names"][i % 2], "fold": 1 + i % 3, "scene": f"scene/{i:02d}"}
        )
    write(folder / "clips.csv", rows)
    (folder / "label_space.json").write_text(json.dumps(PAIR))
    return folder / "clips.csv"


def write(table: Path, rows: list[dict[str, object]]) -> None:
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def cache(table: Path, encoder: Path, *more: object) -> list[object]:
    return ["cache", f"table:{table}", "--model", "ous", "--encoder", encoder, "--out", "features", *SMALL, *more]


def train(table: Path, encoder: Path, *more: object) -> list[object]:
    return ["train", "ous_compact", "--encoder", encoder, "--data", f"table:{table}", "--epochs", "2", "--batch", "4",
            *SMALL, "--cache", "features", *more]  # fmt: skip


def test_a_cache_is_filled_once_and_serves_every_fold(mimica: Run, table: Path, tiny_encoder: Path) -> None:
    code, out, err = mimica(*cache(table, tiny_encoder))
    assert (code, err) == (DONE, "")
    assert out.splitlines()[-1] == "features"
    files = {file.name: file.stat().st_mtime_ns for file in Path("features").iterdir()}
    for fold in (1, 2):
        code, out, err = mimica(*train(table, tiny_encoder, "--fold", fold, "--out", f"run{fold}"))
        assert (code, err) == (DONE, "")
        facts = checkpoint.read_facts(Path(out.splitlines()[-1]))
        assert facts["cache"] == {"precision": "fp16", "views": 0}
        assert facts["metrics"].keys() == {"war", "uar", "ece", "degraded"}, "calibrated on what was held out"
    assert mimica(*cache(table, tiny_encoder))[0] == DONE
    assert {file.name: file.stat().st_mtime_ns for file in Path("features").iterdir()} == files


def test_views_are_learned_from(mimica: Run, table: Path, tiny_encoder: Path) -> None:
    assert mimica(*cache(table, tiny_encoder, "--views", 2, "--seed", 3, "--precision", "fp32"))[0] == DONE
    code, out, err = mimica(*train(table, tiny_encoder, "--fold", 1, "--out", "run"))
    assert (code, err) == (DONE, "")
    told = checkpoint.read_facts(Path(out.splitlines()[-1]))["cache"]
    assert told == {"precision": "fp32", "views": 2, "seed": 3}


def test_the_size_is_told_before_the_work_and_with_predict_nothing_else_is_done(
    mimica: Run, table: Path, tiny_encoder: Path
) -> None:
    code, out, err = mimica(*cache(table, tiny_encoder, "--predict", "--views", 2))
    assert (code, err, Path("features").exists()) == (DONE, "", False)
    # Two features of 16 and three layers of 32 in two bytes each, 16 frames as in test and twice 8.
    clip = 2 * (2 * 16 + 3 * 32) * (16 + 2 * 8)
    told = {line.split("  ")[0]: line.split() for line in out.splitlines()}
    assert told["this data"][2:] == ["12", f"{clip:,}", "98.3", "kB"]
    assert told["DFEW"][1:] == ["11,697", f"{clip:,}", f"{11_697 * clip / 1e6:.1f}", "MB"]
    assert told["FERV39k"][1:] == ["38,935", f"{clip:,}", f"{38_935 * clip / 1e6:.1f}", "MB"]
    assert mimica(*cache(table, tiny_encoder, "--views", 2))[1].startswith(out)


def test_a_clip_that_changed_is_named_and_the_same_command_mends_it(
    mimica: Run, table: Path, tiny_encoder: Path
) -> None:
    mimica(*cache(table, tiny_encoder))
    (table.parent / "scene" / "05" / "1.png").unlink()
    (table.parent / "scene" / "05" / "2.png").unlink()
    training = train(table, tiny_encoder, "--fold", 1, "--out", "run")
    code, _, err = mimica(*training)
    assert code == FAILED
    assert "features lacks 1 of " in err
    assert "face/05 has changed since; mimica cache with the same --out adds what is missing" in err
    assert len(err.splitlines()) == 1
    assert mimica(*cache(table, tiny_encoder))[0] == DONE
    assert mimica(*training)[0] == DONE


def test_data_that_moved_needs_no_new_cache(mimica: Run, table: Path, tiny_encoder: Path) -> None:
    mimica(*cache(table, tiny_encoder))
    moved = table.parent.rename("elsewhere") / table.name
    assert mimica(*train(moved, tiny_encoder, "--fold", 1, "--out", "run"))[0] == DONE


def test_what_does_not_fit_is_one_sentence(mimica: Run, table: Path, tiny_encoder: Path, tiny_clip: Path) -> None:
    mimica(*cache(table, tiny_encoder))
    Path("empty").mkdir()
    fits = train(table, tiny_encoder, "--fold", 1, "--out", "run")
    for typed, code, said in (
        (train(table, tiny_clip, "--fold", 1, "--out", "run"), FAILED, "was made with another encoder"),
        ([*fits, "--sampling", "last"], FAILED, "another sampling, frames (sampling: uniform, not last; frames: 16"),
        ([*fits[:-2], "--out", "run", "--cache", "empty"], FAILED, "empty is no cache that can be read; mimica cache"),
        ([*fits, "--method", "linear-probe", "--options"], USAGE, "linear-probe learns from frames and not from a"),
        (cache(table, tiny_encoder, "--precision", "bf16"), USAGE, "unknown precision of features 'bf16'"),
        (cache(table, tiny_encoder, "--precision", "fp32"), FAILED, "precision: fp16, not fp32); give the same again"),
        (cache(table, tiny_encoder, "--views", "-1"), USAGE, "--views is a number of augmented views, or 0"),
        (cache(table, tiny_encoder, "--device", "moon"), USAGE, "there is no device 'moon' here"),
        (cache(table, tiny_encoder, "--model", "ousp"), USAGE, "unknown recipe or method 'ousp'; did you mean 'ous'"),
        (["cache", f"table:{table}", "--model", "duse", "--encoder", tiny_encoder, "--out", "features"], USAGE,
         "duse has no features that could be kept; a cache is for a method"),
        (cache(table, tiny_encoder, "--out", table), USAGE, "is a file; choose another folder with --out"),
    ):  # fmt: skip
        got, _, err = mimica(*typed)
        assert (got, len(err.splitlines())) == (code, 1), (typed, err)
        assert said in err, (typed, err)


def test_clips_without_scenes_are_refused(mimica: Run, table: Path, tiny_encoder: Path) -> None:
    with table.open(newline="") as file:
        rows = [{key: value for key, value in row.items() if key != "scene"} for row in csv.DictReader(file)]
    write(table, rows)  # type: ignore[arg-type]
    code, _, err = mimica(*cache(table, tiny_encoder))
    assert code == USAGE
    assert "ous reads the scene beside each face, and the clips of clips.csv, part all have none" in " ".join(
        err.split()
    )


def test_a_clip_that_cannot_be_read_is_named_and_what_was_done_stays(
    mimica: Run, table: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mimica.training import cache as making

    monkeypatch.setattr(making, "SHARD", 4)
    picture = table.parent / "face" / "09" / "1.png"
    whole = picture.read_bytes()
    picture.write_bytes(b"no picture")
    code, _, err = mimica(*cache(table, tiny_encoder))
    assert code == FAILED
    assert "face/09/1.png is not a picture that can be read" in err
    assert len(list(Path("features").glob("plain-*.safetensors"))) in (1, 2), "clips are read ahead of the encoder"
    picture.write_bytes(whole)
    assert mimica(*cache(table, tiny_encoder))[0] == DONE
    assert Cache.opened(Path("features")).views == 0
    assert len(list(Path("features").glob("plain-*.safetensors"))) == 3
