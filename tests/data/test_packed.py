from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mimica import checkpoint
from mimica.data.clipset import ClipSet, items, load, load_held, manifest, space_of
from mimica.data.packed import pack
from mimica.errors import InputError
from mimica.labels import LabelSpace

PAIR = LabelSpace(name="pair", names=("up", "down"), descriptions=(("it rises",), ("it sinks",)))


def clips(N: int, G: int = 1, seed: int = 0) -> ClipSet:
    """Clips of one to three frames."""
    random = np.random.default_rng(seed)
    frames = [random.integers(0, 256, (1 + i % 3, 16, 16, G), np.uint8) for i in range(N)]
    labels, names = np.arange(N) % 2, [f"{i}.png" for i in range(N)]
    stated = manifest("drawn", names, labels, PAIR)
    return ClipSet(frames=frames, labels=labels, names=names, space=PAIR, manifest=stated)


@pytest.fixture
def spec(tmp_path: Path) -> str:
    pack({"train": clips(5), "calibration": clips(3, seed=1)}, tmp_path / "clips.safetensors")
    return f"packed:{tmp_path / 'clips.safetensors'}"


@pytest.mark.parametrize("G", [1, 3])
def test_what_is_packed_comes_back_as_it_was(tmp_path: Path, G: int) -> None:
    whole = clips(7, G)
    pack({"train": whole}, tmp_path / "clips.safetensors")
    back = load(f"packed:{tmp_path / 'clips.safetensors'}", size=16)
    assert len(back) == 7
    assert all(np.array_equal(a, b) for a, b in zip(back.frames, whole.frames, strict=True))
    assert np.array_equal(back.labels, whole.labels)
    assert (list(back.names), back.space, back.manifest) == (list(whole.names), PAIR, whole.manifest)


def test_the_part_for_calibration_is_held_back_where_there_is_one(spec: str, tmp_path: Path) -> None:
    held = load_held(spec, size=16)
    assert held is not None
    assert len(held) == 3
    pack({"train": clips(2)}, tmp_path / "whole.safetensors")
    assert load_held(f"packed:{tmp_path / 'whole.safetensors'}", size=16) is None


def test_packed_clips_state_their_label_space(spec: str) -> None:
    assert space_of(spec) == PAIR


def test_a_part_that_is_not_there_is_refused_with_those_that_are(spec: str) -> None:
    with pytest.raises(InputError, match="has no part test; it has train, calibration"):
        load(spec, part="test", size=16)


def test_faces_of_another_size_are_refused_with_the_way_to_mend_it(spec: str) -> None:
    with pytest.raises(InputError, match="are 16 pixels across and 48 are read; pack them with --size 48"):
        load(spec, size=48)


def test_packed_clips_are_no_files_to_list(spec: str) -> None:
    with pytest.raises(InputError, match="use folder:PATH"):
        items(spec)


@pytest.mark.parametrize("what", ["text", "state"])
def test_a_file_that_holds_no_clips_is_refused(tmp_path: Path, what: str) -> None:
    file = tmp_path / "x.safetensors"
    if what == "text":
        file.write_text("nothing")
    else:
        checkpoint.pack(file, {}, {"kind": "state"})
    with pytest.raises(InputError, match="packed:FILE names one that mimica data pack wrote"):
        load(f"packed:{file}", size=16)
