from __future__ import annotations

import json

import numpy as np
import pytest

from mimica.data.actor import unit_curves
from mimica.errors import InputError, UsageError
from mimica.facs import PRIOR_CORES, PROTOTYPES
from mimica.generation.alignment import Alignment, align, aligned, peak, prior, weights
from mimica.labels import EXPRESSIONS, MAFW, LabelSpace
from oracles import alignment as slow
from posed import ORDER, aligned_with, posed, prior_alone

DISGUST = EXPRESSIONS.index("disgust")


def some_peaks(seed: int = 0, number: int = 60) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.random((number, len(ORDER))).round(1), random.integers(0, 7, number)


def test_without_clips_the_core_is_the_one_that_we_chose_of_the_sources() -> None:
    known = prior_alone()
    assert {name: known.core(name) for name in known.names} == {n: PRIOR_CORES[n] for n in EXPRESSIONS.names}


@pytest.mark.parametrize("label", EXPRESSIONS.names)
def test_the_prior_is_the_mean_of_what_sources_say(label: str) -> None:
    sources = [(one.core, dict(one.optional)) for one in PROTOTYPES if one.label == label]
    expected = [slow.prior_share(unit, PRIOR_CORES[label], sources) for unit in ORDER]
    assert prior([label]).probability[0].tolist() == pytest.approx(expected)


def test_a_unit_whose_letter_a_source_prints_has_that_strength() -> None:
    said = prior(["surprise"]).intensity[0]
    assert said[ORDER.index(5)] == 0.25
    assert said[ORDER.index(26)] == 0.75


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_probabilities_and_strengths_are_the_prior_shrunk_toward_what_is_counted(seed: int) -> None:
    peaks, labels = some_peaks(seed)
    known, said = aligned(peaks, labels, EXPRESSIONS.names, ORDER), prior(EXPRESSIONS.names)
    for c in range(7):
        own = peaks[labels == c]
        for a in range(len(ORDER)):
            shown = [s for s in own[:, a].tolist() if s >= 0.3]
            q, m = said.probability[c, a], said.intensity[c, a]
            assert known.shown[c, a] == len(shown)
            assert known.probability[c, a] == pytest.approx(slow.probability(len(shown), len(own), q, 20))
            assert known.intensity[c, a] == pytest.approx(slow.intensity(shown, m, 20))
            assert known.lift[c, a] == pytest.approx(slow.lift(known.probability[:, a].tolist(), c))


def test_lifts_are_bounded_below_and_are_what_sets_a_class_apart() -> None:
    many = np.tile(np.where(np.array(ORDER) == 9, 0.8, 0.0), (5000, 1))
    known = aligned(many, np.full(5000, DISGUST), EXPRESSIONS.names, ORDER)
    assert known.lift[DISGUST].min() == -3.0
    for table in (known, prior_alone()):
        for c in range(7):
            expected = [slow.lift(table.probability[:, a].tolist(), c) for a in range(len(ORDER))]
            assert table.lift[c] == pytest.approx(np.array(expected))
    assert prior_alone().lift[0, ORDER.index(12)] > 1.5


@pytest.mark.parametrize("seed", [0, 1])
def test_the_spread_is_pooled_over_classes(seed: int) -> None:
    peaks, labels = some_peaks(seed)
    known = aligned(peaks, labels, EXPRESSIONS.names, ORDER)
    for a in range(len(ORDER)):
        by_class = [[s for s in peaks[labels == c, a].tolist() if s >= 0.3] for c in range(7)]
        assert known.spread[a] == pytest.approx(slow.spread(by_class))


def test_the_spread_is_never_below_a_tenth_and_is_usual_where_nothing_is_known() -> None:
    assert set(prior_alone().spread) == {0.15}
    same = np.full((6, len(ORDER)), 0.5)
    assert set(aligned(same, np.zeros(6, int), EXPRESSIONS.names, ORDER).spread) == {0.1}


@pytest.mark.parametrize("seed", [0, 3])
def test_what_goes_together_is_the_halved_correlation_of_normal_scores_within_classes(seed: int) -> None:
    peaks, labels = some_peaks(seed)
    peaks[:, 3] = 0.4  # one that never changes
    known = aligned(peaks, labels, EXPRESSIONS.names, ORDER)
    slowly = slow.together([peaks[labels == c].tolist() for c in range(7)])
    assert known.together == pytest.approx(np.array(slowly))
    assert np.linalg.eigvalsh(known.together).min() > 0.49


def test_units_that_only_share_a_class_do_not_go_together() -> None:
    random = np.random.default_rng(0)
    peaks, labels = 0.01 * random.random((400, len(ORDER))), np.arange(400) % 7
    both = [ORDER.index(6), ORDER.index(12)]
    peaks[np.ix_(labels == 0, both)] += 0.8
    assert abs(aligned(peaks, labels, EXPRESSIONS.names, ORDER).together[both[0], both[1]]) < 0.1
    assert np.corrcoef(peaks[:, both].T)[0, 1] > 0.9, "over all classes they do"


@pytest.mark.parametrize("label", ["disgust", "neutral"])
def test_the_consistency_is_the_sum_of_what_each_unit_says(label: str) -> None:
    peaks, labels = some_peaks()
    known = aligned(peaks, labels, EXPRESSIONS.names, ORDER)
    likely = known.probability[known.index(label)]
    terms = [slow.term(s, q, b) for s, q, b in zip(peaks[0], likely, known.probability.mean(0), strict=True)]
    assert known.terms(peaks[0], label) == pytest.approx(np.array(terms))
    assert known.consistency(peaks[:1], label) == pytest.approx(np.array([sum(terms)]))


def test_clips_that_show_the_prototype_speak_for_their_class_more_than_for_any_other() -> None:
    clips = posed()
    known = aligned_with(clips)
    for curve, label in zip(clips.curves, clips.labels, strict=True):
        scores = [float(known.consistency(known.peak(curve, name), name)) for name in known.names]
        assert int(np.argmax(scores)) == label
        assert scores[label] > 0


def test_the_actors_classes_are_told_apart_and_what_data_shows_becomes_the_core() -> None:
    labels = [i % 7 for i in range(700)]
    curves = unit_curves(labels, frames=8, seed=3).numpy()
    known = align(curves[:560], labels[:560], EXPRESSIONS)
    assert known.core("disgust") == (9, 15, 16), "the actor's own, where the prior had 9, 10 and 17"
    right = 0
    for curve, label in zip(curves[560:], labels[560:], strict=True):
        scores = [known.consistency(known.peak(curve, name), name) for name in known.names]
        right += int(np.argmax(scores)) == label
    assert right >= 135


def test_eight_clips_are_ruled_by_facs_and_two_thousand_rule_it() -> None:
    fifteen = np.where(np.array(ORDER) == 15, 0.8, 0.0)
    few = aligned(np.tile(fifteen, (8, 1)), np.full(8, DISGUST), EXPRESSIONS.names, ORDER)
    many = aligned(np.tile(fifteen, (2000, 1)), np.full(2000, DISGUST), EXPRESSIONS.names, ORDER)
    assert few.probability[DISGUST, ORDER.index(9)] > 0.6
    assert 15 not in few.core("disgust")
    assert many.core("disgust") == (15,)
    assert many.intensity[DISGUST, ORDER.index(15)] == pytest.approx(0.8, abs=0.01)


def test_neutral_has_no_core_whatever_is_seen() -> None:
    neutral = EXPRESSIONS.index("neutral")
    peaks = np.full((100, len(ORDER)), 0.9)
    assert aligned(peaks, np.full(100, neutral), EXPRESSIONS.names, ORDER).core("neutral") == ()


@pytest.mark.parametrize("seed", range(4))
def test_the_peak_is_the_mean_of_the_three_frames_with_most_of_the_classs_own_units(seed: int) -> None:
    clip = np.random.default_rng(seed).random((7, len(ORDER))).round(1)
    weight = weights(["sadness", "fear"])[0]
    assert peak(clip, weight) == pytest.approx(np.array(slow.peak(clip.tolist(), weight.tolist())))


def test_the_peak_of_a_class_is_where_its_own_units_are_not_where_another_moves_more() -> None:
    clip = np.zeros((9, len(ORDER)))
    clip[:3, ORDER.index(9)] = 0.5
    clip[6:, ORDER.index(12)] = 1.0
    known = prior_alone()
    assert known.peak(clip, "disgust")[ORDER.index(9)] == 0.5
    assert known.peak(clip, "happiness")[ORDER.index(12)] == 1.0
    assert known.peak(clip, "neutral")[ORDER.index(12)] == 1.0, "neutral has no units of its own"


def test_frames_without_a_face_are_passed_over() -> None:
    clip = np.full((5, len(ORDER)), 0.5)
    clip[[0, 3]] = np.nan
    assert set(peak(clip, np.ones(len(ORDER)))) == {0.5}
    with pytest.raises(InputError, match="no frame in which units were measured"):
        peak(np.full((2, len(ORDER)), np.nan), np.ones(len(ORDER)))


def test_a_unit_that_a_detector_does_not_know_rests_on_the_prior_and_judges_nobody() -> None:
    clips = posed()
    blind = ORDER.index(12)
    curves = [np.where(np.arange(len(ORDER)) == blind, np.nan, curve) for curve in clips.curves]
    known = align(curves, clips.labels, EXPRESSIONS)
    assert known.probability[:, blind].tolist() == prior(EXPRESSIONS.names).probability[:, blind].tolist()
    assert not known.measured[blind]
    assert known.measured.sum() == len(ORDER) - 1
    assert known.terms(np.full(len(ORDER), 0.9), "happiness")[blind] == 0


def test_clips_may_differ_in_length() -> None:
    short, long = np.full((2, len(ORDER)), 0.5), np.full((9, len(ORDER)), 0.5)
    assert align([short, long], [0, 0], EXPRESSIONS).clips[0] == 2


def test_classes_of_ones_own_have_the_same_for_every_unit_until_clips_say_more() -> None:
    space = LabelSpace(name="own", names=("boredom", "fear"), descriptions=(("it yawns",), ("it stares",)))
    known = align([], [], space)
    assert set(known.probability[0]) == {0.15}
    assert known.core("boredom") == ()
    assert align([], [], MAFW).core("contempt") == (12,), "of 12 and 14 only 12 is drawn and measured"


def test_the_alignment_is_the_same_after_a_file() -> None:
    known = aligned_with(posed())
    again = Alignment.from_facts(json.loads(json.dumps(known.facts())))
    assert again.facts() == known.facts()
    assert again.core("fear") == known.core("fear")
    with pytest.raises(InputError, match="no alignment"):
        Alignment.from_facts({"names": ["fear"]})


@pytest.mark.parametrize(("labels", "said"), [([0, 1], "a label"), ([9], "0 to 6"), ([-1], "0 to 6")])
def test_labels_that_do_not_fit_are_refused(labels: list[int], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        align([np.zeros((3, len(ORDER)))], labels, EXPRESSIONS)


def test_a_class_that_there_is_not_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="did you mean 'disgust'"):
        prior_alone().core("disgus")
