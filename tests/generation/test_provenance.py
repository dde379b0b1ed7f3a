from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mimica.errors import InputError
from mimica.generation.knowledge import hidden
from mimica.generation.loop_settings import FilterSettings
from mimica.generation.provenance import HeldBack, Provenance, audit, judged, read_provenance

CLIP = Provenance(
    clip="disgust-0001", sha256="a" * 64, label="disgust", soft_label=(0.3, 0.7), still_sha256="b" * 64,
    still_part="train", person=hidden("ann"), exemplars=(hidden("bo"), hidden("cy")), scores={"units": 0.5},
)  # fmt: skip
HELD = HeldBack(people=frozenset({hidden("dee")}), digests=frozenset({"c" * 64}))


def test_a_clip_made_of_training_data_alone_is_clean_and_said_so() -> None:
    found = audit([CLIP], HELD)
    assert found.clean
    assert found.sentence() == (
        "leakage audit: nothing of validation or test in 1 generated clips, by people, pictures, part"
    )


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"person": hidden("dee")}, "its still shows"),
        ({"exemplars": (hidden("bo"), hidden("dee"))}, "an exemplar of"),
        ({"still_sha256": "c" * 64}, "its still is held back"), ({"sha256": "c" * 64}, "its file is held back"),
        ({"still_part": "test"}, "of the part test"), ({"still_part": ""}, "of the part unknown"),
    ],
)  # fmt: skip
def test_whatever_is_held_back_is_found_kept_or_not(changed: dict[str, object], why: str) -> None:
    for kept in (True, False):
        found = audit([CLIP, replace(CLIP, clip="bad", kept=kept, **changed)], HELD)  # type: ignore[arg-type]
        assert [leak.clip for leak in found.leaks] == ["bad"]
        assert why in found.leaks[0].what
        assert "1 clips hold what they must not" in found.sentence()


def test_a_clip_like_one_held_back_is_found_by_its_features() -> None:
    known = np.array([[1.0, 0.0], [0.0, 1.0]])
    held = replace(HELD, features=known)
    found = audit([CLIP, replace(CLIP, clip="other")], held, features=np.array([[0.7, 0.7], [0.01, 1.0]]))
    assert [leak.clip for leak in found.leaks] == ["other"]
    assert "clip 1 held back" in found.leaks[0].what
    assert "likeness" in found.ways


def test_a_file_that_is_not_the_one_recorded_is_found(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"frames")
    right = replace(CLIP, sha256=hashlib.sha256(b"frames").hexdigest())
    assert audit([right], HELD, files={right.clip: path}).clean
    path.write_bytes(b"other frames")
    assert "not the one recorded" in audit([right], HELD, files={right.clip: path}).leaks[0].what
    assert "not there" in audit([right], HELD, files={}).leaks[0].what


def test_a_record_is_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "clip.json"
    full = replace(
        CLIP, made_from=("clips/1", "clips/2"), probabilities=(0.25, 0.75), measured=((0.5, None), (0.25, 1.0)),
        passed=False, round=2, seconds=0.5, seed=3, steps=4, kept=False, reasons=("it is frozen",),
        scores={"units": None},
    )  # fmt: skip
    for one in (full, CLIP):
        one.write(path)
        assert read_provenance(path) == one
    assert json.loads(path.read_text())["synthetic"] is True


@pytest.mark.parametrize("text", ["{", "{}", '{"clip": "x"}', "[]"])
def test_what_is_no_record_is_refused_by_name(text: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"clip\.json"):
        read_provenance(path)


def test_records_judged_again_have_the_verdict_of_what_they_tell() -> None:
    told = {"consistency": 1.0, "identity": 0.9, "nearest": 0.5}
    one = replace(CLIP, probabilities=(0.25, 0.75), scores=told, kept=False, reasons=("of old",))
    names = ("fear", "disgust")
    (kept,) = judged([one], names, FilterSettings())
    assert (kept.kept, kept.reasons, kept.soft_label) == (True, (), (0.075, 0.925))
    assert judged([kept], names, FilterSettings()) == [kept]
    (left,) = judged([one], names, FilterSettings(probability=0.8, identity=0.95))
    assert left.reasons == ("recognisers give its class 0.75", "the face is another: likeness 0.90")
    (unmeasured,) = judged([replace(one, scores=told | {"identity": None})], names, FilterSettings())
    assert not unmeasured.kept


def test_a_frame_that_is_held_back_is_found_and_named() -> None:
    found = audit([CLIP], HELD, frames={CLIP.clip: ["d" * 64, "c" * 64]})
    assert [leak.what for leak in found.leaks] == ["its frame 1 is a picture held back, sha256 " + "c" * 12]
    assert found.ways == ("people", "pictures", "part", "frames")
    assert audit([CLIP], HELD, frames={CLIP.clip: ["d" * 64]}).clean


def test_a_record_that_denies_that_its_clip_is_synthetic_is_refused() -> None:
    with pytest.raises(InputError, match="denies"):
        Provenance.from_facts(CLIP.facts() | {"synthetic": False})
