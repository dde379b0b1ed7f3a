from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mimica.data import actor
from mimica.data.clipset import ClipSet, from_actor, items, load, load_held, manifest, of_classes, parse, space_of
from mimica.data.stored import StoredClip
from mimica.errors import InputError, UsageError
from mimica.labels import EXPRESSIONS, LabelSpace

Draw = Callable[..., Path]


@pytest.fixture
def parts(photo: Draw, tmp_path: Path) -> str:
    """A table of three train photos and one for calibration."""
    rows = ["path,label,part"]
    for i, (label, part) in enumerate([("happy", "train"), ("sad", "train"), ("sad", "calibration"), ("joy", "train")]):
        rows.append(f"{photo(f'{i}.png', 10 * i).name},{label},{part}")
    (tmp_path / "clips.csv").write_text("\n".join(rows))
    return f"table:{tmp_path / 'clips.csv'}"


@pytest.mark.parametrize(
    ("spec", "error", "reason"),
    [
        ("faces", UsageError, "unknown kind of data 'faces'"),
        ("foldr:faces", UsageError, "did you mean 'folder:PATH'"),
        ("folder:nowhere", InputError, r"there is no nowhere \(given as folder:nowhere\)"),
    ],
)
def test_a_data_argument_that_leads_nowhere_is_a_sentence(spec: str, error: type[Exception], reason: str) -> None:
    with pytest.raises(error, match=reason):
        parse(spec)


def test_a_path_may_hold_colons(tmp_path: Path) -> None:
    (tmp_path / "a:b").mkdir()
    assert parse(f"folder:{tmp_path}/a:b") == ("folder", tmp_path / "a:b")


def test_items_come_from_folders_and_tables(parts: str, photo: Draw, tmp_path: Path) -> None:
    photo("classes/fear/a.png")
    assert [item.label for item in items(parts)] == [0, 1, 1, 0]
    assert [item.label for item in items(f"folder:{tmp_path / 'classes'}")] == [6]


def test_pictures_in_an_archive_are_no_files_to_list(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds pictures in an archive"):
        items(f"fer2013:{tmp_path}")


def test_a_part_is_loaded_without_the_others(parts: str) -> None:
    clips = load(parts, size=8)
    assert [f[0, 0, 0, 0] for f in clips.frames] == [0, 10, 30]
    assert clips.manifest["origin"] == "clips.csv, part train"
    held = load_held(parts, size=8)
    assert held is not None
    assert [f[0, 0, 0, 0] for f in held.frames] == [20]


def test_data_without_parts_is_taken_whole_and_holds_nothing_back(photo: Draw, tmp_path: Path) -> None:
    photo("faces/fear/a.png")
    photo("faces/joy/a.png")
    assert len(load(f"folder:{tmp_path / 'faces'}", size=8)) == 2
    assert load_held(f"folder:{tmp_path / 'faces'}", size=8) is None
    (tmp_path / "clips.csv").write_text("path,label\nfaces/fear/a.png,fear\n")
    assert len(load(f"table:{tmp_path / 'clips.csv'}", part="holdout", size=8)) == 1
    assert load_held(f"table:{tmp_path / 'clips.csv'}", size=8) is None


def test_a_part_that_is_empty_is_refused(parts: str) -> None:
    with pytest.raises(InputError, match="has no clip of the part holdout; it has calibration, train"):
        load(parts, part="holdout", size=8)


def test_counts_are_in_the_order_of_the_label_space() -> None:
    clips = ClipSet(frames=[np.zeros((1, 8, 8, 1), np.uint8)] * 3, labels=np.array([6, 0, 6]), names=["a", "b", "c"])
    assert list(clips.counts().items())[::6] == [("happiness", 1), ("fear", 2)]
    assert sum(clips.counts().values()) == len(clips) == 3


def test_a_manifest_tells_data_apart_by_their_names_and_labels() -> None:
    told = [
        manifest("x", names, np.array(labels), EXPRESSIONS)
        for names, labels in ((["a", "b"], [0, 1]), (["a", "b"], [0, 1]), (["a", "c"], [0, 1]), (["a", "b"], [0, 2]))
    ]
    assert told[0] == told[1]
    assert len({str(facts["digest"]) for facts in told}) == 3
    assert told[0]["classes"]["sadness"] == 1  # type: ignore[index]


OWN = {"names": ["tense", "calm"], "descriptions": [["a face drawn tight"], ["a face at rest"]]}


@pytest.fixture
def own(photo: Draw, tmp_path: Path) -> str:
    """A table whose classes are its own, one row of each and one for calibration."""
    rows = ["path,label,part"]
    for i, (label, part) in enumerate([("calm", "train"), ("Tense", "train"), ("calm", "calibration")]):
        rows.append(f"{photo(f'{i}.png', 10 * i).name},{label},{part}")
    (tmp_path / "clips.csv").write_text("\n".join(rows))
    (tmp_path / "label_space.json").write_text(json.dumps(OWN))
    return f"table:{tmp_path / 'clips.csv'}"


def test_a_table_brings_its_own_classes_and_their_descriptions(own: str) -> None:
    clips, held = load(own, size=8), load_held(own, size=8)
    assert space_of(own) == clips.space == LabelSpace.from_facts(OWN)
    assert clips.counts() == {"tense": 1, "calm": 1}
    assert clips.manifest["classes"] == {"tense": 1, "calm": 1}
    assert [item.label for item in items(own)] == [1, 0, 1]
    assert held is not None
    assert (held.space, held.labels.tolist()) == (clips.space, [1])


def test_a_folder_of_class_folders_may_bring_its_own_classes(photo: Draw, tmp_path: Path) -> None:
    photo("faces/calm/a.png")
    (tmp_path / "faces" / "label_space.json").write_text(json.dumps(OWN))
    clips = load(f"folder:{tmp_path / 'faces'}", size=8)
    assert (clips.space.names, clips.labels.tolist()) == (("tense", "calm"), [1])


def test_a_label_space_that_is_asked_for_comes_before_that_of_the_data(own: str) -> None:
    other = LabelSpace(name="other", names=("calm", "tense"), descriptions=(("at rest",), ("taut",)))
    assert load(own, size=8, space=other).labels.tolist() == [0, 1]
    assert [item.label for item in items(own, space=other)] == [0, 1, 0]
    with pytest.raises(InputError, match="row 3: unknown label 'Tense'"):
        load_held(own, size=8, space=EXPRESSIONS)


def test_data_that_states_no_classes_shows_the_seven_expressions(parts: str) -> None:
    assert space_of(parts) is EXPRESSIONS
    assert load(parts, size=8).space is EXPRESSIONS


@pytest.mark.parametrize(
    ("text", "reason"), [("{", "as JSON"), ('{"names": []}', "is stated as JSON with"), ('"calm"', "is stated as JSON")]
)
def test_a_label_space_that_cannot_be_read_is_named(own: str, tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "label_space.json").write_text(text)
    with pytest.raises(InputError, match=rf"label_space\.json.*{reason}"):
        load(own, size=8)


def test_the_part_for_calibration_is_found_in_one_reading(parts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mimica.data import table

    read: list[Path] = []
    rows = table.read_rows

    def counted(path: Path, *columns: Any) -> object:
        read.append(path)
        return rows(path, *columns)

    monkeypatch.setattr(table, "read_rows", counted)
    assert load_held(parts, size=8) is not None
    assert len(read) == 1


def test_what_a_table_says_about_its_clips_is_in_their_manifest(parts: str, tmp_path: Path) -> None:
    about = {"facts": {"synthetic": True, "seed": 7, "clips": 99}}
    (tmp_path / "about.json").write_text(json.dumps(about))
    stated = load(parts, size=8).manifest
    assert (stated["synthetic"], stated["seed"], stated["clips"]) == (True, 7, 3)


@pytest.mark.parametrize("text", ["{", "[]", '{"facts": 3}', '{"title": "about us"}'])
def test_a_file_of_that_name_may_be_about_something_else(parts: str, tmp_path: Path, text: str) -> None:
    before = load(parts, size=8).manifest
    (tmp_path / "about.json").write_text(text)
    assert load(parts, size=8).manifest == before


def test_actor_clips_in_memory_are_a_set_that_says_it_is_synthetic() -> None:
    drawn = actor.clips(3, size=24, frames=4, part="test", seed=5, task="direction")
    clips = from_actor(drawn, size=16)
    assert [frames.shape for frames in clips.frames] == [(4, 16, 16, 3)] * 3
    assert clips.frames[0].dtype == np.uint8
    assert clips.labels.tolist() == drawn.labels.tolist()
    assert clips.space is actor.DIRECTION
    assert len(set(clips.names)) == 3
    told = {"synthetic": True, "part": "test", "seed": 5, "task": "direction", "size": 24, "clips": 3}
    assert told.items() <= clips.manifest.items()


def test_actor_clips_of_the_size_asked_for_are_taken_as_they_were_drawn() -> None:
    drawn = actor.clips(2, size=25, frames=3, part="train", seed=0)
    assert np.array_equal(np.stack(from_actor(drawn, size=25).frames), drawn.face.permute(0, 1, 3, 4, 2).numpy())


def test_clips_may_be_left_in_their_files(parts: str) -> None:
    for stored in (True, None, False):
        clips, held = load(parts, size=16, stored=stored), load_held(parts, size=16, stored=stored)
        assert isinstance(clips.frames[0], StoredClip) == (stored is True)
        assert [int(f[0][0, 0, 0]) for f in clips.frames] == [0, 10, 30]
        assert held is not None
        assert isinstance(held.frames[0], StoredClip) == (stored is True)


def test_a_table_with_scenes_gives_clips_with_scenes_to_those_who_ask(photo: Draw, tmp_path: Path) -> None:
    rows = [f"{photo(f'{i}.png', i).name},sad,{part},{photo(f'scene{i}.png', 100 + i).name}"
            for i, part in enumerate(["train", "train", "calibration"])]  # fmt: skip
    (tmp_path / "clips.csv").write_text("\n".join(["path,label,part,scene", *rows]))
    spec = f"table:{tmp_path / 'clips.csv'}"
    assert load(spec, size=8).scenes is None
    clips, held = load(spec, size=8, scenes=True), load_held(spec, size=8, scenes=True)
    assert held is not None
    for of, shades in ((clips, [100, 101]), (held, [102])):
        assert of.scenes is not None
        assert [int(scene[0][4, 4, 0]) for scene in of.scenes] == shades


def test_the_clips_of_some_classes_keep_their_pictures_and_have_labels_of_only_those() -> None:
    frames = [np.full((1, 2, 2, 1), i, np.uint8) for i in range(6)]
    clips = ClipSet(
        frames=frames, labels=np.array([0, 6, 3, 6, 1, 0]), names=list("abcdef"), scenes=frames, groups=list("uvwxyz")
    )
    some = of_classes(clips, ["fear", "happiness"])
    assert some.labels.tolist() == [1, 0, 0, 1]
    assert [int(f[0, 0, 0, 0]) for f in some.frames] == [0, 1, 3, 5]
    assert list(some.names) == ["a", "b", "d", "f"]
    assert some.groups is not None
    assert list(some.groups) == ["u", "v", "x", "z"], "who a clip is of goes with it"
    assert some.scenes is not None
    assert [int(f[0, 0, 0, 0]) for f in some.scenes] == [0, 1, 3, 5]
    assert some.space == EXPRESSIONS.only(["fear", "happiness"])
    assert (some.manifest["clips"], some.manifest["classes"]) == (4, {"fear": 2, "happiness": 2})
