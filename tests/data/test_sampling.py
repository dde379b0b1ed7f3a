from __future__ import annotations

import numpy as np
import pytest

from mimica.data.augment import draws as augmenting
from mimica.data.sampling import SAMPLINGS, beside, by_chance, check, draws, places, seen, thinned
from mimica.errors import UsageError
from oracles import sampling as oracle

LENGTHS = [*range(1, 40), 63, 64, 65, 70, 155, 847]
"""Frames of a clip: every short one, and those of DFEW from the median to the longest."""

EVERY = [*SAMPLINGS, "stride:1", "stride:3"]
CHANCES = [None, *(np.random.default_rng(seed).random(16) for seed in range(6)), np.zeros(16), np.full(16, 1 - 2**-30)]


def expected(sampling: str, N: int, T: int, u: np.ndarray | None) -> list[int]:
    if sampling == "segment":
        return oracle.segment(N, T, u)  # type: ignore[arg-type]
    if sampling == "tsn8x2":
        return oracle.pairs(N, T, u)  # type: ignore[arg-type]
    if sampling.startswith("stride"):
        return oracle.stride(N, T, int(sampling.partition(":")[2] or 4), 0.5 if u is None else u[0])
    return oracle.uniform(N, T) if sampling == "uniform" else oracle.last(N, T)


@pytest.mark.parametrize("T", [2, 6, 8, 16])
@pytest.mark.parametrize("sampling", EVERY)
def test_frames_are_those_of_the_protocol_written_out(sampling: str, T: int) -> None:
    for N in LENGTHS:
        for u in (chance if chance is None else chance[:T] for chance in CHANCES):
            assert places(sampling, N, T, u).tolist() == expected(sampling, N, T, u), (N, u)


@pytest.mark.parametrize("sampling", EVERY)
def test_frames_are_in_the_clip_and_in_order(sampling: str) -> None:
    for N in LENGTHS:
        for u in CHANCES:
            read = places(sampling, N, 16, u)
            assert read.dtype.kind == "i"
            assert (read >= 0).all()
            assert (read < N).all()
            begin = read[::2] if sampling == "tsn8x2" else read  # pairs of short segments overlap
            assert (np.diff(begin) >= 0).all()


def test_in_training_every_frame_of_a_clip_comes_to_be_read() -> None:
    for N in (17, 31, 70):
        read = {int(p) for clip in range(400) for p in places("segment", N, 16, draws(0, 0, [clip], 16)[0])}
        assert read == set(range(N))


def test_in_training_a_frame_lies_in_its_segment_and_in_test_in_the_middle_of_it() -> None:
    edges = np.arange(17) * 70 / 16
    for clip in range(50):
        read = places("segment", 70, 16, draws(0, 0, [clip], 16)[0])
        assert (np.floor(edges[:-1]) <= read).all()
        assert (read < edges[1:]).all()
    assert np.abs(places("segment", 70, 16) + 0.5 - (edges[:-1] + edges[1:]) / 2).max() <= 0.5


def test_a_short_clip_repeats_its_last_frame() -> None:
    for sampling in ("segment", "uniform", "last"):
        assert places(sampling, 3, 6).tolist() == [0, 1, 2, 2, 2, 2]
    assert places("stride", 6, 6).tolist() == [0, 4, 5, 5, 5, 5]
    assert places("tsn8x2", 3, 6).tolist() == [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize("sampling", EVERY)
def test_only_a_sampling_by_chance_depends_on_a_draw(sampling: str) -> None:
    read = {tuple(places(sampling, 90, 16, draws(0, 0, [clip], 16)[0])) for clip in range(20)}
    assert (len(read) > 10) == by_chance(sampling) == sampling.startswith(("segment", "tsn", "stride"))


@pytest.mark.parametrize("seed", [0, 2**22, 2**31, -1])
def test_draws_are_a_function_of_seed_epoch_and_clip_alone(seed: int) -> None:
    whole = draws(seed, 3, [4, 9, 2], 16)
    assert whole.shape == (3, 16)
    assert np.array_equal(draws(seed, 3, [2, 4], 16), whole[[2, 0]])
    others = [draws(seed, 4, [4], 16), draws(seed + 1, 3, [4], 16), augmenting(seed, 3, [4])[:, :16]]
    assert not any(np.isclose(other, whole[0]).any() for other in others)


# In test


@pytest.mark.parametrize("sampling", EVERY)
def test_one_view_is_what_is_read_without_chance(sampling: str) -> None:
    for N in (16, 17, 70):
        [only] = seen(sampling, N, 16)
        assert only.tolist() == places(sampling, N, 16).tolist()


@pytest.mark.parametrize("sampling", ["segment", "tsn8x2", "stride", "uniform"])
def test_several_views_are_of_different_frames_and_spread_as_evenly_as_they_can(sampling: str) -> None:
    views = np.stack(seen(sampling, 160, 8, views=4))
    assert len(np.unique(views, axis=0)) == 4
    steps = np.diff(views, axis=0)
    assert steps.min() > 0
    assert steps.max() - steps.min() <= 1


def test_views_are_where_chance_could_have_put_them() -> None:
    for view, read in enumerate(seen("segment", 70, 16, views=3)):
        assert read.tolist() == oracle.segment(70, 16, [(view + 0.5) / 3] * 16)


def test_a_clip_evenly_thinned_is_read_as_it_is_where_it_is_short() -> None:
    assert [read.tolist() for read in seen("uniform", 5, 8, views=2)] == [[0, 1, 2, 3, 4]] * 2


@pytest.mark.parametrize(
    ("sampling", "views", "said"),
    [
        ("last", 2, "the last frames are the same in every view; leave views at 1"),
        ("segment", 0, "at least one view, not 0"),
    ],
)
def test_views_that_are_none_are_refused(sampling: str, views: int, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        seen(sampling, 30, 8, views=views)


@pytest.mark.parametrize(
    ("sampling", "T", "said"),
    [
        ("segments", 16, "unknown sampling 'segments'; did you mean 'segment'? Choose from: segment, tsn8x2, stride, "),
        ("segment:2", 16, "unknown sampling 'segment:2'; did you mean 'segment'?"),
        ("stride:0", 16, "a stride is a whole number of frames such as stride:2, got 'stride:0'"),
        ("stride:two", 16, "a stride is a whole number of frames such as stride:2, got 'stride:two'"),
        ("tsn8x2", 15, "tsn8x2 reads frames in pairs, so their number must be even, not 15"),
        ("segment", 0, "at least one frame of a clip must be read, not 0"),
    ],
)
def test_a_sampling_that_does_not_exist_or_fit_is_met_with_what_would(sampling: str, T: int, said: str) -> None:
    for ask in (lambda: check(sampling, T), lambda: places(sampling, 30, T), lambda: seen(sampling, 30, T)):
        with pytest.raises(UsageError) as caught:
            ask()
        assert str(caught.value).startswith(said)


# What is kept of a longer file, and what goes with it


@pytest.mark.parametrize("most", [1, 2, 8, 16])
def test_of_a_longer_file_those_frames_are_kept_that_a_reader_forward_would_have_kept(most: int) -> None:
    for N in LENGTHS:
        assert thinned(N, most).tolist() == oracle.thinned(N, most)
    assert thinned(70, None).tolist() == list(range(70))


def test_beside_a_frame_of_one_view_stands_the_same_one_of_the_other() -> None:
    read = places("segment", 70, 16)
    assert beside(read, 70, 70).tolist() == read.tolist()
    assert beside(np.array([0, 5, 9]), 10, 20).tolist() == [0, 10, 18]
    for M in LENGTHS:
        assert beside(np.array([0, 69]), 70, M).tolist() == [0, (69 * M) // 70]
