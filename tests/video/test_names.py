from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimica.video.names import names


@given(st.lists(st.from_regex(r"[ab.]?/?[abAB]{1,2}(-mp4)?(\.(mp4|MOV))?", fullmatch=True), unique=True), st.data())
def test_no_two_outputs_share_a_name_and_a_name_once_given_stays(sources: list[str], data: st.DataObject) -> None:
    unique = list({os.path.abspath(source): source for source in sources}.values())
    first = data.draw(st.integers(0, len(unique)))
    known = names(unique[:first])
    chosen = names(unique[first:], known) | known
    assert len({name.lower() for name in chosen.values()}) == len(unique)
    assert names(unique, known) == chosen


@given(st.lists(st.text("ab表", min_size=1, max_size=200), unique=True, max_size=4))
def test_however_long_a_name_is_that_of_its_output_fits_and_is_its_own(stems: list[str]) -> None:
    chosen = names([f"{stem}.mp4" for stem in stems])
    assert len(set(chosen.values())) == len(stems)
    assert all(len(f".{name}.parquet.part".encode()) <= 255 for name in chosen.values())


@given(st.sets(st.sampled_from(["clip", "clip-mp4", "day-clip"])))
def test_a_name_that_is_not_free_is_given_to_nobody(taken: set[str]) -> None:
    (name,) = names(["day/clip.mp4"], free=lambda source, name: name not in taken).values()
    assert name not in taken
    (known,) = names(["day/clip.mp4"], {"day/clip.mp4": "clip"}, lambda source, name: name not in taken).values()
    assert known == ("clip" if "clip" not in taken else name)


@pytest.mark.parametrize("source", [".", "..", "camera:0", "folder.v1/", "a.b.mp4", "/clips/x.mov"])
def test_a_name_is_a_plain_file_name(source: str) -> None:
    (name,) = names([source]).values()
    assert name
    assert not name.startswith(".")
    assert not set(name) & set('/\\:*?"<>|')
    assert name == Path(name).name
