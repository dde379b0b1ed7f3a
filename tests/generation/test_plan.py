from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from mimica.errors import InputError, UsageError
from mimica.facs import ANTAGONISTS
from mimica.generation.plan import WEAKEST, Plan, clashes, eased, plan, settled
from mimica.generation.settings import PlanSettings
from mimica.labels import EXPRESSIONS
from oracles import plans as slow
from posed import ORDER, aligned_with, posed, prior_alone

KNOWN = prior_alone()
SHOWING = [name for name in EXPRESSIONS.names if name != "neutral"]


def many(label: str, number: int = 300, **how: object) -> list[Plan]:
    return [plan(KNOWN, label, i, **how) for i in range(number)]  # type: ignore[arg-type]


@pytest.mark.parametrize("label", SHOWING)
def test_a_plan_has_the_core_of_its_class_and_strengths_within_bounds(label: str) -> None:
    for one in many(label, 100):
        assert set(KNOWN.core(label)) <= set(one.strengths)
        assert all(WEAKEST <= strength <= 1 for strength in one.strengths.values())
        assert set(one.motions) == set(one.strengths)


def test_units_beside_the_core_come_as_often_as_they_are_likely() -> None:
    plans = many("disgust", 2000)
    likely = dict(zip(KNOWN.units, KNOWN.probability[KNOWN.index("disgust")], strict=True))
    for unit in (4, 15, 16):
        assert np.mean([unit in one.strengths for one in plans]) == pytest.approx(likely[unit], abs=0.04)


def test_what_goes_together_comes_together() -> None:
    together = KNOWN.together.copy()
    a, b = ORDER.index(15), ORDER.index(16)
    together[a, b] = together[b, a] = 0.5
    plans = [plan(replace(KNOWN, together=together), "disgust", i) for i in range(2000)]
    both = np.array([(15 in one.strengths, 16 in one.strengths) for one in plans])
    alone = np.array([(15 in one.strengths, 16 in one.strengths) for one in many("disgust", 2000)])
    assert np.corrcoef(both.T)[0, 1] > 0.2
    assert abs(np.corrcoef(alone.T)[0, 1]) < 0.08
    assert both.mean(0) == pytest.approx(alone.mean(0), abs=0.04), "how often each comes stays the same"


def test_strengths_are_those_of_the_truncated_normal() -> None:
    from scipy.stats import truncnorm

    a, c = ORDER.index(12), KNOWN.index("happiness")
    mean, spread = KNOWN.intensity[c, a], KNOWN.spread[a]
    expected = truncnorm((WEAKEST - mean) / spread, (1 - mean) / spread, loc=mean, scale=spread)
    drawn = [one.strengths[12] for one in many("happiness", 1500)]
    assert np.mean(drawn) == pytest.approx(expected.mean(), abs=0.015)
    assert np.std(drawn) == pytest.approx(expected.std(), abs=0.015)


def test_how_strong_a_unit_is_does_not_depend_on_how_likely_it_was() -> None:
    from scipy.stats import truncnorm

    a, c = ORDER.index(4), KNOWN.index("disgust")
    mean, spread = KNOWN.intensity[c, a], KNOWN.spread[a]
    expected = truncnorm((WEAKEST - mean) / spread, (1 - mean) / spread, loc=mean, scale=spread).mean()
    drawn = [one.strengths[4] for one in many("disgust", 2000) if 4 in one.strengths]
    assert np.mean(drawn) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("label", SHOWING)
def test_no_plan_needs_what_a_face_cannot_do(label: str) -> None:
    assert not any(clashes(one.strengths, label) for one in many(label))


def test_of_antagonists_the_less_likely_gives_way_as_far_as_it_must() -> None:
    assert settled({12: 0.9, 15: 0.7}, {12: 0.9, 15: 0.1}, "happiness") == {12: 0.9, 15: 0.4}
    assert settled({12: 0.7, 15: 0.9}, {12: 0.1, 15: 0.9}, "sadness") == {12: 0.4, 15: 0.9}
    assert settled({24: 0.7, 25: 0.5, 26: 0.5}, {24: 0.9, 25: 0.3, 26: 0.1}, "anger") == {24: 0.7}
    assert settled({12: 0.3, 15: 0.9}, {12: 0.1, 15: 0.9}, "sadness") == {12: 0.3, 15: 0.9}, "faint, they go together"


def test_brows_that_are_up_and_down_at_once_are_for_fear_and_sadness() -> None:
    brows = {1: 0.9, 2: 0.9, 4: 0.8}
    assert settled(brows, {1: 0.9, 2: 0.9, 4: 0.1}, "surprise") == {1: 0.9, 2: 0.9, 4: 0.5}
    assert settled(brows, {1: 0.9, 2: 0.9, 4: 0.1}, "fear") == brows


def test_what_is_wanted_gives_way_last() -> None:
    assert settled({12: 0.9, 15: 0.7}, {12: 0.9, 15: 0.1}, "happiness", (15,)) == {12: 0.4, 15: 0.7}


def test_wanted_units_are_in_every_plan() -> None:
    assert all({2, 10} <= set(one.strengths) for one in many("happiness", 50, units=(2, 10)))


@pytest.mark.parametrize(
    ("units", "said"),
    [
        ((24, 25), "Action Units 24 and 25 exclude each other"), ((12, 15), "12 and 15 exclude"),
        ((1, 2, 4), "1 and 2 and 4 exclude"), ((99,), "there is no Action Unit 99"), ((14,), "14 cannot be planned"),
    ],
)  # fmt: skip
def test_units_that_cannot_be_are_refused(units: tuple[int, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plan(KNOWN, "happiness", units=units)


def test_a_class_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown class 'joyless'"):
        plan(KNOWN, "joyless")


def test_neutral_stays_at_rest_for_the_whole_clip() -> None:
    one = plan(aligned_with(posed()), "neutral")
    assert not one.curves().any()
    assert one.spans() == ((0, 15),)
    assert one.curves().shape == (16, len(ORDER))


def test_a_plan_depends_on_class_number_and_seed_alone() -> None:
    def facts(label: str, number: int, seed: int = 0) -> str:
        return json.dumps(plan(KNOWN, label, number, settings=PlanSettings(seed=seed)).facts())

    assert facts("fear", 3) == facts("fear", 3)
    assert len({facts("fear", 3), facts("fear", 4), facts("anger", 3), facts("fear", 3, seed=1)}) == 4
    assert plan(KNOWN, "fear", 3, settings=PlanSettings(seed=1)).strengths != plan(KNOWN, "fear", 3).strengths
    rises = {label: plan(KNOWN, label, 3).motions[4] for label in ("fear", "anger")}
    assert rises["fear"].apex - rises["fear"].onset != pytest.approx(rises["anger"].apex - rises["anger"].onset)


@pytest.mark.parametrize("label", ["fear", "happiness"])
def test_curves_are_those_of_the_formula(label: str) -> None:
    for one in many(label, 20):
        curves = one.curves()
        for unit, strength in one.strengths.items():
            move = asdict(one.motions[unit])
            expected = [slow.strength(t / one.settings.fps, strength, **move) for t in range(one.settings.frames)]
            assert curves[:, ORDER.index(unit)] == pytest.approx(np.array(expected))
        assert not curves[:, [a for a, unit in enumerate(ORDER) if unit not in one.strengths]].any()


def test_every_curve_begins_at_rest_and_reaches_its_apex() -> None:
    for settings in (PlanSettings(), PlanSettings(frames=9), PlanSettings(frames=60, fps=25), PlanSettings(frames=81)):
        for number in range(200):
            one = plan(KNOWN, "surprise", number, settings=settings)
            curves = one.curves()
            assert not curves[0].any()
            assert all(0 <= move.onset < move.apex <= move.release < move.offset for move in one.motions.values())
            assert all(move.apex <= settings.last for move in one.motions.values())
            for unit, strength in one.strengths.items():
                assert curves[:, ORDER.index(unit)].max() > 0.55 * strength


def test_speed_is_in_proportion_to_strength() -> None:
    one = plan(KNOWN, "fear", 1, settings=PlanSettings(frames=400, fps=200))
    speed = np.diff(one.curves(), axis=0).max(0)
    per_strength = [speed[ORDER.index(unit)] / strength for unit, strength in one.strengths.items()]
    assert max(per_strength) == pytest.approx(min(per_strength), rel=2e-3)


def test_posed_expressions_set_in_faster() -> None:
    def rises(manner: str) -> list[float]:
        plans = many("happiness", 100, settings=PlanSettings(manner=manner))  # type: ignore[arg-type]
        return [one.motions[12].apex - one.motions[12].onset for one in plans]

    assert 0.4 <= min(rises("spontaneous")) < max(rises("spontaneous")) <= 0.7001
    assert 0.25 <= min(rises("posed")) < max(rises("posed")) <= 0.4001


def test_six_in_ten_clips_end_before_the_face_is_at_rest_again() -> None:
    settings = PlanSettings(frames=100, fps=20)
    plans = many("happiness", 1000, settings=settings)
    assert np.mean([one.motions[12].offset > settings.last + 1e-6 for one in plans]) == pytest.approx(0.6, abs=0.06)


def test_brows_lead_the_mouth_in_fear_and_not_in_anger() -> None:
    def led(label: str, brow: int, mouth: int) -> float:
        plans = many(label, 800, settings=PlanSettings(frames=60, fps=20))
        return float(np.mean([one.motions[mouth].onset - one.motions[brow].onset for one in plans]))

    assert led("fear", 1, 20) == pytest.approx(0.04, abs=0.012)
    assert led("anger", 4, 23) == pytest.approx(0.0, abs=0.012)


def test_spans_share_the_clip_without_a_gap() -> None:
    for one in many("sadness", 200):
        parts = one.spans()
        assert [frame for first, last in parts for frame in range(first, last + 1)] == list(range(16))
        assert len(parts) in (2, 3)
        assert all(first <= last for first, last in parts)


def test_an_offset_is_there_where_a_tenth_of_it_or_more_is_seen() -> None:
    plans = many("fear", 300)
    assert {len(one.spans()) for one in plans} == {2, 3}
    for one in plans:
        leading = max(one.strengths, key=lambda unit: one.strengths[unit])
        curve = one.curves()[:, ORDER.index(leading)]
        assert (curve[-1] <= 0.9 * one.strengths[leading] + 1e-9) == (len(one.spans()) == 3) or curve.argmax() == 15


def test_a_ladder_of_intensity_keeps_the_proportions() -> None:
    one = plan(KNOWN, "fear")
    half = one.scaled(0.5)
    assert max(half.strengths.values()) == pytest.approx(0.5)
    assert half.curves() / 0.5 == pytest.approx(one.curves() / max(one.strengths.values()))
    assert plan(KNOWN, "neutral").scaled(0.5).strengths == {}
    with pytest.raises(UsageError, match="above 0"):
        one.scaled(0.0)


def test_a_plan_is_the_same_after_a_file() -> None:
    one = plan(KNOWN, "fear", 2)
    again = Plan.from_facts(json.loads(json.dumps(one.facts())))
    assert again.facts() == one.facts()
    assert again.curves() == pytest.approx(one.curves(), abs=2e-3)
    with pytest.raises(InputError, match="no plan"):
        Plan.from_facts({"label": "fear"})


@pytest.mark.parametrize("how", [{"frames": 3}, {"frames": 8}, {"fps": 0}, {"fps": 30}])
def test_a_clip_too_short_for_an_expression_is_refused(how: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=r"frames|a second"):
        PlanSettings(**how)  # type: ignore[arg-type]


def test_movement_is_smooth_at_both_ends() -> None:
    x = np.linspace(-0.5, 1.5, 201)
    assert eased(x) == pytest.approx(np.array([slow.eased(v) for v in x]))
    second = np.diff(eased(np.linspace(0, 1, 1001)), 2) * 1000**2
    assert abs(second[0]) < 0.1
    assert abs(second[-1]) < 0.1


def test_prototypes_are_free_of_antagonists() -> None:
    from mimica.facs import COMPOUNDS, PROTOTYPES

    for one in PROTOTYPES + COMPOUNDS:
        assert not any(pair.clash(dict.fromkeys(one.core, 1.0), one.label) for pair in ANTAGONISTS), one
