"""`mimica data check`, `mimica data import`, and training and measuring on a fold, through the command line."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mimica.cli import DONE, FAILED, USAGE
from mimica.data import dfew
from mimica.data.clipset import items
from mimica.data.published import dealt
from mimica.labels import EXPRESSIONS, MAFW
from tiny_sets import (
    SMALL,
    draw_dfew,
    draw_ferv39k,
    draw_mafw,
    frames,
    labels,
    publish_small,
    replace,
    write,
)  # fmt: skip

Run = Callable[..., tuple[int, str, str]]
FULL = dfew.COUNTS


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    publish_small(monkeypatch)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return draw_dfew(tmp_path / "DFEW")


def rows(out: str, first: str) -> list[str]:
    return [line for line in out.splitlines() if line.startswith(first)]


def test_a_tree_of_full_counts_is_right(mimica: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dfew, "COUNTS", FULL)
    try:
        draw_dfew(tmp_path / "DFEW", FULL)
        code, out, err = mimica("data", "check", "dfew:DFEW", "--json", "found.json")
    finally:
        shutil.rmtree(tmp_path / "DFEW", ignore_errors=True)
    assert (code, err) == (DONE, "")
    assert out.splitlines()[-1] == "nothing is wrong"
    found = json.loads(Path("found.json").read_text())
    assert (found["ok"], found["wrong"]) == (True, [])
    assert sum(sum(part["found"].values()) for part in found["counts"] if "test" in part["part"]) == 11697
    assert rows(out, "fold 1, test")[0].split()[3:] == ["489", "379", "534", "435", "294", "29", "181", "2341"]


def test_counts_that_are_off_stand_beside_the_published_ones(mimica: Run, tree: Path) -> None:
    replace(labels(tree, "test", 2), "\n3,1\n", "\n3,2\n")
    code, out, _ = mimica("data", "check", "dfew:DFEW")
    assert code == FAILED
    assert rows(out, "fold 2, test")[0].split()[3:7] == ["1", "(2)", "3", "(2)"]
    assert "in brackets the published number where it is another" in out
    assert "happiness 1, published 2, sadness 3, published 2" in out
    assert rows(out, "labelled differently")[0].split()[2:] == ["1", "00003:", "happiness", "and", "sadness"]
    assert out.splitlines()[-1] == "2 things are wrong"


def test_what_is_wrong_is_in_one_table_and_all_of_it_in_the_json(mimica: Run, tree: Path) -> None:
    labels(tree, "test", 5).unlink()
    for number in range(10, 20):
        shutil.rmtree(tree / "Clip" / "clip_224x224" / f"{number:05d}")
    replace(labels(tree, "train"), "\n3,1\n", "\n3,1\n1,1\n")
    code, out, err = mimica("data", "check", "dfew:DFEW", "--json", "out/found.json")
    assert (code, err) == (FAILED, "")
    for told in ("no label file", "no such clip", "in train and in test", "(no fault) fewer than 16 frames"):
        assert len(rows(out, told)) == 1, told
    assert "00010, 00011, 00012, 00013, 00014 … and 5 more" in out
    found = json.loads(Path("out/found.json").read_text())
    (missing,) = [one for one in found["wrong"] if one["what"] == "no such clip"]
    assert missing["which"] == [f"{number:05d}" for number in range(10, 20)]


def test_what_is_wrong_does_not_stop_who_goes_on(mimica: Run, tree: Path) -> None:
    shutil.rmtree(tree / "Clip" / "clip_224x224" / "00007")
    strict, loose = mimica("data", "check", "dfew:DFEW"), mimica("data", "check", "dfew:DFEW", "--no-strict")
    assert (strict[0], loose[0]) == (FAILED, DONE)
    assert strict[1:] == loose[1:]
    assert strict[1].splitlines()[-1] == "1 thing is wrong"


def test_frames_are_decoded_when_asked(mimica: Run, tree: Path) -> None:
    picture = tree / "Clip" / "clip_224x224" / "00007" / "00007_00001.jpg"
    picture.unlink()
    picture.write_bytes(b"no picture")
    assert mimica("data", "check", "dfew:DFEW")[0] == DONE
    code, out, _ = mimica("data", "check", "dfew:DFEW", "--open")
    assert code == FAILED
    assert len(rows(out, "cannot be opened")) == 1


def test_a_name_with_brackets_is_printed_as_it_is(mimica: Run) -> None:
    frames(Path("[red]") / "0001", 16)
    write(Path("clips.txt"), "[red]/0001 16 sad\n[red]/0002 16 sad\n")
    code, out, _ = mimica("data", "check", "list:clips.txt")
    assert code == FAILED
    assert "[red]/0002" in out


@pytest.mark.parametrize(
    ("spec", "code", "said"),
    [
        ("dfew:nowhere", FAILED, "there is no nowhere"),
        ("folder:DFEW", USAGE, "folder:DFEW is no data set with label files of its own; those are dfew, ferv39k, mafw"),
        ("dfwe:DFEW", USAGE, "unknown kind of data 'dfwe'. Choose from: folder:PATH, table:PATH, fer2013:PATH, packed"),
        ("ferv39k:DFEW", FAILED, "holds no faces of FERV39k"),
        ("mafw:DFEW", FAILED, "holds no faces of MAFW"),
        ("list:dfwe:clips.txt", USAGE, "unknown order of classes 'dfwe'; did you mean 'dfew'"),
    ],
)
def test_data_that_cannot_be_checked_is_one_sentence(mimica: Run, tree: Path, spec: str, code: int, said: str) -> None:
    got, out, err = mimica("data", "check", spec)
    assert (got, out) == (code, "")
    assert said in err
    assert len(err.splitlines()) == 1


def test_interpolated_clips_and_broken_files_are_one_sentence_each(mimica: Run, tree: Path) -> None:
    xlsx = tree / "EmoLabel_DataSplit" / "test(single-labeled)" / "set_1.xlsx"
    for change, said in (
        (lambda: replace(labels(tree, "test"), "video_name,label", "a,b"), "has no columns video_name and label"),
        (lambda: labels(tree, "test").rename(xlsx), "cannot read DFEW/EmoLabel_DataSplit/test(single-labeled)/set_1"),
        (
            lambda: (tree / "Clip" / "clip_224x224").rename(tree / "Clip" / "clip_224x224_16f"),
            "holds 16 frames a clip that were interpolated in time, with which published results do not come out; put",
        ),
    ):  # fmt: skip
        change()
        code, _, err = mimica("data", "check", "dfew:DFEW")
        assert code == FAILED
        assert said in err


def test_numbers_of_a_list_need_an_order_and_the_right_one(mimica: Run) -> None:
    for word in ("Happy", "Angry"):
        frames(Path("War") / word / "0001", 16)
    write(Path("clips.txt"), "War/Happy/0001 16 3\nWar/Angry/0001 16 0\n")
    code, _, err = mimica("data", "check", "list:clips.txt")
    assert code == USAGE
    assert "so say in which order: list:alphabetical:clips.txt; going by the folders of its clips it is alphabet" in err
    code, _, err = mimica("data", "import", "list:dfew:clips.txt", "--out", "clips.csv")
    assert code == USAGE
    assert "the order that fits is alphabetical: list:alphabetical:clips.txt" in err
    assert mimica("data", "check", "list:alphabetical:clips.txt")[0] == DONE
    assert mimica("data", "import", "list:alphabetical:clips.txt", "--out", "clips.csv")[0] == DONE
    assert Path("clips.csv").read_text() == "path,label\nWar/Angry/0001,anger\nWar/Happy/0001,happiness\n"


def test_a_data_set_becomes_a_table(mimica: Run, tree: Path) -> None:
    code, out, err = mimica("data", "import", "dfew:DFEW", "--out", "clips.csv")
    assert (code, out, err) == (DONE, "51 clips of DFEW\nclips.csv\n", "")
    there = [(item.path.resolve(), item.label, item.part) for item in items("table:clips.csv", fold=4)]
    assert there == [(item.path.resolve(), item.label, item.part) for item in items("dfew:DFEW", fold=4)]


def test_eleven_classes_are_stated_beside_their_table(mimica: Run, tmp_path: Path) -> None:
    draw_mafw(tmp_path / "M")
    assert mimica("data", "import", "mafw:M", "--out", "t/clips.csv", "--fold", 2)[0] == DONE
    assert json.loads(Path("t/label_space.json").read_text())["names"] == list(MAFW.names)
    assert items("table:t/clips.csv")[0].caption == "The man frowns “so” 1."
    draw_dfew(tmp_path / "D")
    code, _, err = mimica("data", "import", "dfew:D", "--out", "t/other.csv")
    assert code == USAGE
    assert "the tables in t are of other classes; choose another folder with --out" in err


def test_what_cannot_be_used_stops_an_import_or_is_left_out_and_said(mimica: Run, tree: Path) -> None:
    for number in range(10, 20):
        shutil.rmtree(tree / "Clip" / "clip_224x224" / f"{number:05d}")
    os.unlink(tree / "Clip" / "clip_224x224" / "00001" / "00001_00001.jpg")
    code, out, err = mimica("data", "import", "dfew:DFEW", "--out", "clips.csv")
    assert (code, out) == (FAILED, "")
    assert "there is no clip DFEW/Clip/clip_224x224/00010; mimica data check lists all that is wrong" in err
    assert not Path("clips.csv").exists()
    code, out, _ = mimica("data", "import", "dfew:DFEW", "--out", "clips.csv", "--no-strict")
    assert code == DONE
    assert len(rows(out, "left out: ")) == 5
    assert "left out as well: 6 more; mimica data check lists all that is wrong" in out
    assert "40 clips of DFEW" in out
    assert len(items("table:clips.csv", fold=1)) == 40


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("--out", "clips.txt"), USAGE, "clips.txt is no name of a CSV table; let --out end in .csv"),
        (("--out", "clips.csv", "--fold", 6), USAGE, "DFEW has folds 1 to 5 and no fold 6"),
        (("--out", "taken.csv"), USAGE, "taken.csv is there already and says something else; choose another place"),
        (("--out", "file/clips.csv"), FAILED, "cannot write file/clips.csv"),
        ((), USAGE, "--out"),
    ],
)
def test_an_import_that_cannot_be_made_is_a_sentence(
    mimica: Run, tree: Path, flags: tuple[object, ...], code: int, said: str
) -> None:
    Path("taken.csv").write_text("mine\n")
    Path("file").touch()
    got, _, err = mimica("data", "import", "dfew:DFEW", *flags)
    assert got == code
    assert said in err
    assert Path("taken.csv").read_text() == "mine\n"


def test_folds_that_do_not_make_one_whole_are_imported_one_by_one(mimica: Run, tree: Path) -> None:
    replace(labels(tree, "train"), "\n3,1\n", "\n")
    code, _, err = mimica("data", "import", "dfew:DFEW", "--out", "clips.csv")
    assert code == FAILED
    assert "fold 1 of DFEW is not all that the other folds test" in err
    assert mimica("data", "import", "dfew:DFEW", "--out", "clips.csv", "--fold", 2)[0] == DONE


def test_a_fold_is_measured_on_what_it_tests(mimica: Run, tree: Path, tiny_model: Path) -> None:
    told = ("evaluate", "dfew:DFEW", "--model", tiny_model, "--faces", "none")
    code, _, err = mimica(*told)
    assert code == USAGE
    assert "DFEW has folds 1 to 5; choose one with --fold" in err
    code, _, err = mimica(*told, "--fold", 2, "--json", "figures.json")
    assert code == DONE, err
    figures = json.loads(Path("figures.json").read_text())
    assert (figures["n"], figures["fold"], figures["parts"]) == (sum(SMALL.clips[2, "test"]), 2, ["test"])
    code, _, err = mimica(*told, "--fold", 2, "--part", "train", "--json", "figures.json")
    assert json.loads(Path("figures.json").read_text())["n"] == sum(SMALL.clips[2, "train"])


def test_scenes_have_figures_of_their_own(mimica: Run, tmp_path: Path, tiny_model: Path) -> None:
    draw_ferv39k(tmp_path / "F")
    code, out, err = mimica(
        "evaluate", "ferv39k:F", "--model", tiny_model, "--faces", "none", "--json", "figures.json"
    )  # fmt: skip
    assert code == DONE, err
    slices = json.loads(Path("figures.json").read_text())["slices"]
    assert {part["value"]: part["n"] for part in slices if part["by"] == "group"} == {"Action": 7, "War": 7}
    assert "War" in out


def test_a_fold_is_packed_and_its_test_part_is_not_in_it(mimica: Run, tree: Path) -> None:
    code, out, err = mimica(
        "data", "pack", "dfew:DFEW", "--fold", 1, "--out", "faces.safetensors", "--size", 16, "--frames", 1
    )
    assert code == DONE, err
    assert f"train: {sum(SMALL.clips[1, 'train'])} clips" in out


def test_a_recogniser_is_trained_on_a_fold(mimica: Run, tmp_path: Path, tiny_clip: Path) -> None:
    draw_dfew(tmp_path / "DFEW", dealt((2,) * 7, folds=5))
    told = ("train", "duse_vit_b32", "--data", "dfew:DFEW", "--encoder", tiny_clip, "--out", "run", "--epochs", 1)
    code, _, err = mimica(*told)
    assert code == USAGE
    assert "choose one with --fold" in err
    code, _, err = mimica(*told, "--fold", 1, "--method", "linear-probe", "--batch", 4)
    assert code == DONE, err
    facts = json.loads(next(Path("run").glob("linear-probe-*.json")).read_text())
    assert facts["data"]["origin"] == "DFEW, part train of fold 1"
    assert facts["data"]["classes"] == dict.fromkeys(EXPRESSIONS.names, 1)


def test_the_epoch_that_is_kept_is_chosen_on_a_part_held_out_of_train_or_where_it_is_said_on_another(
    mimica: Run, tmp_path: Path, tiny_clip: Path
) -> None:
    counts = dealt((10,) * 7, folds=5)
    draw_dfew(tmp_path / "DFEW", counts)
    told = ("train", "duse_vit_b32", "--data", "dfew:DFEW", "--fold", 1, "--encoder", tiny_clip, "--epochs", 2,
            "--batch", 8, "--method", "linear-probe")  # fmt: skip
    whole, test = sum(counts.clips[1, "train"]), sum(counts.clips[1, "test"])
    for on, flags, learned, held in (
        ("validation", (), whole - 7, "validation"),
        ("test", ("--select-on", "test"), whole, "test"),
        ("last", ("--select-on", "last", "--hold", 0), whole, ""),
    ):
        code, out, err = mimica(*told, *flags, "--out", on)
        assert code == DONE, err
        results = json.loads(Path(on, "results.json").read_text())
        assert (results["selected_on"], results["data"]["train"]["clips"]) == (on, learned)
        assert f"kept: epoch {results['epoch']} of 2, the {'last' if on == 'last' else f'best on {on}'}" in out
        assert ("it was chosen on the part that tests it" in out) == (on == "test")
        assert set(results["data"]) == {"train", *([held] if held else [])}
        if held:
            assert results["data"][held]["clips"] == {"validation": 7, "test": test}[held]
