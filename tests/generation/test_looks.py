from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from mimica.generation.looks import Looks, Probe


class Mean(nn.Module):
    """Sees of a picture the mean of each channel and a one, as a tower sees it."""

    size = 4

    def normalise(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.cat([pictures.mean((2, 3)), torch.ones(len(pictures), 1)], 1)


def looks(*clips: list[list[float]]) -> Looks:
    return Looks(features=tuple(np.array(clip) for clip in clips))


def test_features_are_of_unit_norm_one_a_frame_for_clips_of_any_size_and_length() -> None:
    random = np.random.default_rng(0)
    clips = [random.integers(0, 255, (T, S, S, G), dtype=np.uint8) for T, S, G in ((3, 4, 3), (70, 9, 1))]
    seen = Looks.of(Mean(), clips)  # type: ignore[arg-type]
    assert [one.shape for one in seen.features] == [(3, 4), (70, 4)]
    for one in seen.features:
        assert np.linalg.norm(one, axis=1) == pytest.approx(1, abs=1e-6)
    first = np.array([*clips[0][1].mean((0, 1)) / 255, 1])
    assert seen.features[0][1] == pytest.approx(first / np.linalg.norm(first), abs=1e-6)
    assert len(seen.joined(seen)) == 4


def test_a_summary_is_the_mean_and_the_farthest_frame_less_the_first() -> None:
    (row,) = looks([[1, 0], [0, 1], [0.9, 0.1]]).summaries()
    assert row == pytest.approx([1.9 / 3, 1.1 / 3, -1, 1])


def test_summaries_and_traces_have_a_row_a_clip_whatever_its_length() -> None:
    random = np.random.default_rng(0)
    some = Looks(features=tuple(random.normal(size=(T, 6)) for T in (1, 4, 9, 16)))
    assert some.summaries().shape == (4, 12)
    assert some.traces().shape == (4, 30)


def test_the_order_of_frames_changes_traces_and_the_first_frame_changes_summaries() -> None:
    frames = np.random.default_rng(1).normal(size=(9, 6))
    forward, swapped, back = frames, frames[[0, 2, 1, 4, 3, 6, 5, 8, 7]], frames[::-1]
    some = Looks(features=(forward, swapped, back))
    a, b, c = some.traces()
    assert not np.allclose(a, b)
    assert c == pytest.approx(a.reshape(5, 6)[::-1].ravel())
    a, b, c = some.summaries()
    assert a == pytest.approx(b), "in which order it moves is not asked"
    assert a[:6] == pytest.approx(c[:6])
    assert not np.allclose(a[6:], c[6:]), "from where it moves is"


@pytest.fixture(scope="module")
def many() -> tuple[Looks, np.ndarray]:
    """Clips of four classes of five, the fifth without any, that overlap somewhat."""
    random = np.random.default_rng(2)
    labels = np.arange(60) % 4
    middles = random.normal(size=(4, 8))
    features = tuple(middles[c] + random.normal(0, 1.1, (3, 8)) for c in labels)
    return Looks(features=features), labels


def test_recall_is_the_share_of_each_class_counted_by_hand(many: tuple[Looks, np.ndarray]) -> None:
    seen, labels = many
    probe = Probe(Looks(features=seen.features[:32]), labels[:32], 5)
    held, truth = Looks(features=seen.features[32:50]), labels[32:50]
    likely = probe.probabilities(held)
    found = probe.recall(held, truth)
    for c in range(5):
        own = [i for i in range(18) if truth[i] == c]
        hits = [i for i in own if max(range(5), key=lambda k: likely[i][k]) == c]
        if own:
            assert found[c] == len(hits) / len(own)
        else:
            assert np.isnan(found[c])
    assert 0 < np.nanmean(found) < 1


def test_probabilities_sum_to_one_and_a_class_without_clips_has_none(many: tuple[Looks, np.ndarray]) -> None:
    likely = Probe(many[0], many[1], 5).probabilities(many[0])
    assert likely.shape == (60, 5)
    assert likely.sum(1) == pytest.approx(1)
    assert (likely[:, 4] == 0).all()


def test_the_same_clips_give_the_same_probe_and_two_classes_suffice(many: tuple[Looks, np.ndarray]) -> None:
    seen, labels = many
    assert np.array_equal(*(Probe(seen, labels, 4).probabilities(seen) for _ in range(2)))
    both = Probe(seen, labels % 2, 3).probabilities(seen)
    assert both.sum(1) == pytest.approx(1)


def test_clips_count_as_their_weight_says_and_only_beside_each_other(many: tuple[Looks, np.ndarray]) -> None:
    seen, labels = many
    same = Probe(seen, labels, 4, weight=np.full(60, 7.0)).probabilities(seen)
    assert same == pytest.approx(Probe(seen, labels, 4).probabilities(seen))
    twice, flipped = seen.joined(seen), np.concatenate([labels, (labels + 1) % 4])
    for weight, right in (((1.0, 1e-6), labels), ((1e-6, 1.0), flipped[60:])):
        found = Probe(twice, flipped, 4, weight=np.repeat(weight, 60)).probabilities(seen)
        assert (found.argmax(1) == right).mean() > 0.6


def test_a_class_of_few_clips_counts_as_much_as_one_of_many() -> None:
    random = np.random.default_rng(3)
    labels = np.array([0] * 57 + [1] * 3)
    features = tuple(random.normal(0.5 * c, 1.0, (1, 2)) for c in labels)
    likely = Probe(Looks(features=features), labels, 2).probabilities(looks([[0.25, 0.25]]))
    assert 0.2 < likely[0, 1] < 0.8
