"""What a check finds wrong, one thing at a time, in a small DFEW that is right before."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mimica.data.check import Checked, Finding, checked, frames_of
from mimica.data.clipset import published
from mimica.errors import InputError
from tiny_sets import (
    SMALL,
    draw_dfew,
    draw_ferv39k,
    draw_mafw,
    frames,
    labels,
    publish_small,
    replace,
    split,
    write,
    write_csv,
    write_xlsx,
)  # fmt: skip

Change = Callable[[Path], object]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    publish_small(monkeypatch)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return draw_dfew(tmp_path / "DFEW")


def check(spec: str, **how: bool) -> Checked:
    return checked(published(spec), **how)  # type: ignore[arg-type]


def wrong(found: Checked) -> list[tuple[str, str, int]]:
    return [(one.what, Path(one.where).name, one.number) for one in found.wrong]


def which(found: Checked, what: str) -> tuple[str, ...]:
    (one,) = [finding for finding in found.findings if finding.what == what]
    return one.which


@pytest.mark.parametrize(
    ("draw", "kind", "clips"), [(draw_dfew, "dfew", 51), (draw_ferv39k, "ferv39k", 42), (draw_mafw, "mafw", 62)]
)
def test_a_data_set_as_it_was_published_has_nothing_wrong(
    tmp_path: Path, draw: Callable[[Path], Path], kind: str, clips: int
) -> None:
    found = check(f"{kind}:{draw(tmp_path / kind)}")
    assert found.wrong == ()
    assert {finding.what: finding.number for finding in found.findings} == {"fewer than 16 frames": clips}
    assert all(tally.found == tally.published for tally in found.tallies)
    assert len(found.tallies) == (2 if kind == "ferv39k" else 10)


def test_counts_that_are_off_are_named_by_class_and_part(tree: Path) -> None:
    replace(labels(tree, "test", 2), "\n3,1\n", "\n3,2\n")
    found = check(f"dfew:{tree}")
    assert ("not the published number", "fold 2, test", 2) in wrong(found)
    assert which(found, "not the published number") == ("happiness 1, published 2", "sadness 3, published 2")
    assert which(found, "labelled differently") == ("00003: happiness and sadness",)
    assert [tally.part for tally in found.tallies if tally.found != tally.published] == ["fold 2, test"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda root: labels(root, "test", 5).unlink(), [("no label file", "fold 5, test", 1)]),
        (
            lambda root: labels(root, "test", 5).write_text("video_name,label\n"),
            [
                ("label file without a clip", "fold 5, test", 1),
                ("in other folds, not in this", "fold 5", sum(SMALL.clips[5, "test"])),
                ("not the published number", "fold 5, test", sum(SMALL.clips[5, "test"])),
            ],
        ),
        (
            lambda root: replace(labels(root, "test"), "\n1,1\n", "\n1,9\n"),
            [
                ("unknown class", "set_1.csv", 1), ("labelled differently", "", 1),
                ("not the published number", "fold 1, test", 1),
            ],
        ),
        (lambda root: replace(labels(root, "test"), "\n1,1\n", "\n1,1\n1,1\n"), [("listed twice", "fold 1, test", 1)]),
        (
            lambda root: replace(labels(root, "train"), "\n3,1\n", "\n3,1\n1,1\n"),
            [("in train and in test", "fold 1", 1), ("not the published number", "fold 1, train", 1)],
        ),
        (
            lambda root: replace(labels(root, "train"), "\n3,1\n", "\n"),
            [("in other folds, not in this", "fold 1", 1), ("not the published number", "fold 1, train", 1)],
        ),
        (
            lambda root: (
                replace(labels(root, "test"), "\n2,1\n", "\n3,1\n"),
                replace(labels(root, "train"), "\n3,1\n", "\n2,1\n"),
            ),
            [("tested in two folds", "", 1)],
        ),
        (lambda root: (root / "Clip/clip_224x224/00007").rename(root / "7"), [("no such clip", "clip_224x224", 1)]),
        (
            lambda root: (root / "Clip/clip_224x224/00007/00007_00001.jpg").unlink(),
            [("no frame in the clip", "clip_224x224", 1)],
        ),
        (
            lambda root: (root / "Clip/clip_224x224/00007/00007_00001.jpg").rename(
                root / "Clip/clip_224x224/00007/._1.jpg"
            ),
            [("no frame in the clip", "clip_224x224", 1)],
        ),
    ],
    ids=[
        "no file", "empty file", "unknown class", "twice", "train and test", "one less", "two tests", "missing",
        "empty", "hidden",
    ],
)  # fmt: skip
def test_each_fault_is_found_and_no_other(tree: Path, change: Change, expected: list[tuple[str, str, int]]) -> None:
    change(tree)
    assert sorted(wrong(check(f"dfew:{tree}"))) == sorted(expected)


def test_an_unknown_class_is_named_with_its_line(tree: Path) -> None:
    replace(labels(tree, "test"), "\n1,1\n", "\n1,9\n")
    assert which(check(f"dfew:{tree}"), "unknown class") == ("line 2: '9'",)


def test_short_clips_are_counted_and_no_fault(tree: Path) -> None:
    for number, length in ((1, 15), (2, 16), (3, 17)):
        (tree / "Clip" / "clip_224x224" / f"{number:05d}" / f"{number:05d}_00001.jpg").unlink()
        frames(tree / "Clip" / "clip_224x224" / f"{number:05d}", length, stem="x_")
    found = check(f"dfew:{tree}")
    assert found.wrong == ()
    short = which(found, "fewer than 16 frames")
    assert ("00001" in short, "00002" in short, "00003" in short, len(short)) == (True, False, False, 49)


def test_an_empty_video_is_an_empty_clip_and_no_video_is_short(tree: Path) -> None:
    faces = tree / "Clip" / "clip_224x224"
    for clip in list(faces.iterdir()):
        clip.rename(tree / clip.name)
        (faces / f"{clip.name}.avi").write_bytes(b"" if clip.name == "00005" else b"x")
    faces.rename(tree / "Clip" / "clip_224x224_avi")
    found = check(f"dfew:{tree}")
    assert {one.what: one.which for one in found.findings} == {"no frame in the clip": ("00005",)}


def test_clips_without_a_label_and_without_a_scene_view_are_worth_knowing(tree: Path) -> None:
    frames(tree / "Clip" / "clip_224x224" / "00052")
    video = tree / "Clip" / "original" / "part_1" / "00001.mp4"
    video.parent.mkdir(parents=True)
    video.write_bytes(b"x")
    found = check(f"dfew:{tree}")
    assert found.wrong == ()
    assert which(found, "in no label file") == ("00052",)
    assert len(which(found, "no scene view")) == 50
    assert "00001" not in which(found, "no scene view")


def test_no_picture_is_opened_unless_that_is_asked_for(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    opened = []
    real = Image.open
    monkeypatch.setattr(Image, "open", lambda *path, **how: opened.append(path) or real(*path, **how))
    assert check(f"dfew:{tree}").wrong == ()
    assert opened == []
    assert check(f"dfew:{tree}", decode=True).wrong == ()
    assert len(opened) >= 51


def test_a_frame_that_cannot_be_decoded_is_found_when_asked(tree: Path) -> None:
    picture = tree / "Clip" / "clip_224x224" / "00007" / "00007_00001.jpg"
    picture.unlink()
    picture.write_bytes(b"no picture")
    assert check(f"dfew:{tree}").wrong == ()
    found = check(f"dfew:{tree}", decode=True)
    assert wrong(found) == [("cannot be opened", "clip_224x224", 1)]
    assert "00007" in which(found, "cannot be opened")[0]


def test_progress_goes_over_all_clips_that_are_there(tree: Path) -> None:
    (tree / "Clip" / "clip_224x224" / "00007").rename(tree / "7")
    told: list[tuple[int, int]] = []
    checked(published(f"dfew:{tree}"), progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 50) for done in range(1, 51)]


def test_the_annotation_may_have_more_but_not_other_labels(tree: Path) -> None:
    places = [clip for fold, clips in split((10, 9, 8, 7, 6, 5, 6)).items() if fold == (1, "test") for clip in clips]
    votes: list[list[object]] = [["1happy", "order", "annotation"], [0, 77, 3], [0, 78, 0]]
    write_xlsx(tree / "Annotation" / "annotation.xlsx", [*votes, *([0, number, label + 1] for number, label in places)])
    assert check(f"dfew:{tree}").wrong == ()
    number, label = places[0]
    write_xlsx(tree / "Annotation" / "annotation.xlsx", [*votes, [0, number, 0], [0, places[-1][0], label + 1]])
    found = check(f"dfew:{tree}")
    assert wrong(found) == [("another label file says otherwise", "annotation.xlsx", 2)]
    assert which(found, "another label file says otherwise")[0] == f"{number:05d}: happiness and 0"


def test_another_file_of_other_columns_is_not_compared_and_no_fault(tree: Path) -> None:
    write_xlsx(tree / "Annotation" / "annotation.xlsx", [["a", "b"], [1, 2]])
    found = check(f"dfew:{tree}")
    assert found.wrong == ()
    assert which(found, "not compared with")[0].endswith("has no columns video_name and label; it has a, b")


def test_a_second_set_of_labels_has_to_name_the_same_clips(tree: Path, tmp_path: Path) -> None:
    draw_dfew(tmp_path / "toolkit", labels="toolkit")
    (tmp_path / "toolkit" / "label").rename(tree / "label")
    assert check(f"dfew:{tree}").wrong == ()
    other = tree / "label" / "single_testset_1.csv"
    rows = other.read_text()
    moved = labels(tree, "train").read_text().splitlines()[1]
    other.write_text(rows.replace("\n1,1\n", f"\n{moved}\n77,1\n"))
    found = check(f"dfew:{tree}")
    assert sorted(wrong(found)) == [
        ("another label file has it in another part", "single_testset_1.csv", 1),
        ("another label file lists other clips", "single_testset_1.csv", 2),
    ]
    assert which(found, "another label file lists other clips") == ("00001", "00077")


def test_a_label_that_is_not_what_its_folder_says_is_found(tmp_path: Path) -> None:
    tree = draw_ferv39k(tmp_path / "F")
    replace(tree / "4_setups" / "All_scenes" / "train_All.csv", "Action/Happy/0000 Happy", "Action/Happy/0000 Sad")
    found = check(f"ferv39k:{tree}")
    assert wrong(found) == [
        ("label is not what the folder says", "", 1), ("not the published number", "train", 2)
    ]  # fmt: skip
    assert which(found, "label is not what the folder says") == ("Action/Happy/0000 is labelled Sad",)


def test_scenes_are_counted_by_themselves(tmp_path: Path) -> None:
    tree = draw_ferv39k(tmp_path / "F")
    file = tree / "4_setups" / "All_scenes" / "train_All.csv"
    write(file, file.read_text().replace("Action/Happy/0000 Happy\n", "Wars/Happy/0001 Happy\n"))
    frames(tree / "2_ClipsforFaceCrop" / "Wars" / "Happy" / "0001")
    found = check(f"ferv39k:{tree}")
    assert which(found, "not the published number by scene") == ("Action 13, published 14", "Wars 1, published 0")


def test_the_two_setups_of_ferv39k_are_compared(tmp_path: Path) -> None:
    tree = draw_ferv39k(tmp_path / "F")
    draw_ferv39k(tree, by_scene=True)
    assert check(f"ferv39k:{tree}").wrong == ()
    replace(tree / "4_setups" / "22_scenes" / "train_War.csv", "War/Happy/0001 Happy\n", "")
    assert wrong(check(f"ferv39k:{tree}")) == [("another label file lists other clips", "22_scenes", 1)]


def test_captions_are_compared_with_the_labels_but_leave_neutral_clips_out(tmp_path: Path) -> None:
    tree = draw_mafw(tmp_path / "M")
    told = tree / "Train & Test Set" / "single" / "with_caption" / "set_1" / "test.txt"
    write(told, told.read_text(encoding="gbk").replace("\tanger\t", "\tfear\t", 1), encoding="gbk")
    assert wrong(check(f"mafw:{tree}")) == [("another label file says otherwise", "test.txt", 1)]


def test_a_list_is_held_to_the_number_of_frames_that_it_states(tmp_path: Path) -> None:
    for word, length in (("Happy", 16), ("Fear", 17)):
        frames(tmp_path / word / "0001", length)
    file = write(tmp_path / "clips.txt", "Happy/0001 16 0\nFear/0001 16 6\nFear/0002 16 6\n")
    found = check(f"list:dfew:{file}")
    assert [(one.what, one.which) for one in found.findings] == [
        ("no such clip", ("Fear/0002",)), ("not the listed number of frames", ("Fear/0001: 17, listed 16",))
    ]  # fmt: skip
    assert [(tally.part, sum(tally.found), tally.published) for tally in found.tallies] == [("clips.txt", 3, None)]


def test_a_label_file_of_another_form_stops_the_check(tree: Path) -> None:
    write_csv(labels(tree, "test"), [["a", "b"], [1, 1]])
    with pytest.raises(InputError, match="has no columns video_name and label"):
        check(f"dfew:{tree}")


def test_facts_hold_every_clip_by_name(tree: Path) -> None:
    (tree / "Clip" / "clip_224x224" / "00007").rename(tree / "7")
    facts = check(f"dfew:{tree}").facts()
    assert (facts["data"], facts["ok"]) == ("DFEW", False)
    assert facts["wrong"] == [
        {"what": "no such clip", "where": str(tree / "Clip" / "clip_224x224"), "number": 1, "which": ["00007"]}
    ]
    assert len(facts["notes"][0]["which"]) == 50
    assert facts["counts"][0]["part"] == "fold 1, train"
    assert facts["counts"][0]["found"] == facts["counts"][0]["published"]
    assert facts["counts"][0]["found"]["happiness"] == SMALL.clips[1, "train"][0]


def test_only_pictures_are_frames(tmp_path: Path) -> None:
    clip = frames(tmp_path / "clip", 3)
    for name in ("notes.txt", ".hidden.jpg", "._00001.jpg"):
        (clip / name).touch()
    os.link(clip / "00001.jpg", clip / "4.PNG")
    assert frames_of(clip) == 4


def test_findings_that_are_no_faults_do_not_count_as_wrong() -> None:
    note, fault = (Finding(what="x", where="", number=1, wrong=wrong) for wrong in (False, True))
    assert Checked(name="a", classes=(), tallies=(), findings=(note,)).facts()["ok"] is True
    assert Checked(name="a", classes=(), tallies=(), findings=(note, fault)).wrong == (fault,)
