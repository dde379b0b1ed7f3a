"""Figures over shots and seeds: what is measured, what is kept, and how it is averaged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mimica.anomaly.ablation import MODULES, variants
from mimica.anomaly.config import CifConfig, default, nearest, reference
from mimica.anomaly.detector import Detector
from mimica.anomaly.evaluation import FIGURES, Evaluation, evaluate, nearest_of
from mimica.anomaly.features.maker import FeatureMaker, Modality, make
from mimica.anomaly.measure import Measured, Plan, Run, measure
from mimica.anomaly.published import DATA, published_of
from mimica.anomaly.samples import Sample
from mimica.anomaly.scans.scan import Source
from mimica.anomaly.scans.sources import open_samples
from mimica.anomaly.shots import by_seed, good_scans
from mimica.errors import InputError, UsageError
from mimica.metrics.detection import DetectionFigures, detection_figures
from tiny_parts import tree

SMALL = replace(default(), side=112, cells=14, augmentations=1)
MAKERS = make("colour", "normals", side=112, cells=14)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return open_samples(f"mvtec3d:{tree(tmp_path_factory.mktemp('drawn'))}")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return Plan(variants={"default": SMALL}, shots=(1, 2), seeds=2)


@pytest.fixture(scope="module")
def found(source: Source, plan: Plan) -> Evaluation:
    return evaluate(source, MAKERS, plan)


class Counted:
    """A maker that counts how often it is asked."""

    modality: Modality = "rgb"

    def __init__(self, maker: FeatureMaker) -> None:
        self.maker, self.facts, self.modality, self.asked = maker, maker.facts, maker.modality, 0

    def __call__(self, sample: Sample) -> np.ndarray:
        self.asked += 1
        return self.maker(sample)


def test_fewer_shots_are_among_more_of_the_same_seed_and_seeds_differ(source: Source) -> None:
    scans = open_samples(source.name).chosen() * 3
    orders = [list(by_seed(scans, seed)) for seed in range(4)]
    assert all(sorted(map(id, order)) == sorted(map(id, scans)) for order in orders)
    assert len({tuple(map(id, order)) for order in orders}) == 4
    assert orders[0] == list(by_seed(scans, 0))


def test_shots_are_good_parts_of_train_or_whatever_there_is_without_splits(source: Source) -> None:
    assert {scan.name.rpartition("/")[0] for scan in good_scans(source, "bun")} == {"bun/train/good"}
    folder = open_samples(f"{source.name}/bun/train/good")
    assert len(good_scans(folder, folder.categories[0])) == 2
    tests = Source(name="x", scans=source.chosen("bun", "test"))
    with pytest.raises(InputError, match="has no good part of bun to learn from"):
        good_scans(tests, "bun")


def test_a_run_is_what_fitting_and_scoring_by_hand_gives(source: Source, found: Evaluation) -> None:
    shots = [scan.read() for scan in by_seed(good_scans(source, "tablet"), 1)][:2]
    detector = Detector.fit(shots, MAKERS, SMALL)
    samples = [scan.read() for scan in source.chosen("tablet", "test")]
    judged = [detector.score(sample) for sample in samples]

    def figures(chosen: Sequence[int]) -> DetectionFigures:
        return detection_figures(
            np.array([samples[i].defect != "good" for i in chosen]), np.array([judged[i].score for i in chosen]),
            [samples[i].mask for i in chosen], [judged[i].heat for i in chosen],  # type: ignore[misc]
        )  # fmt: skip

    (run,) = (run for run in found.measured["tablet"].runs if (run.shots, run.seed) == (2, 1))
    assert run.all == figures(range(4))
    assert set(run.defects) == {"both", "missing"}
    assert run.defects["both"] == figures([i for i, s in enumerate(samples) if s.defect in ("good", "both")])


def test_one_shot_is_the_first_of_its_seed(source: Source) -> None:
    few = Source(name="x", scans=source.chosen("bun"))
    first = next(by_seed(good_scans(few, "bun"), 0)).read()
    detector = Detector.fit([first], MAKERS, SMALL)
    samples = [scan.read() for scan in few.chosen("bun", "test")]
    heats = [detector.score(sample).heat for sample in samples]
    plan = Plan(variants={"a": SMALL}, shots=(1, 2), seeds=1)
    run = measure(few, "bun", MAKERS, plan, lambda what, done, total: None).runs[0]
    masks = [sample.mask for sample in samples]
    by_hand = detection_figures(np.array([True, False, False, True]), np.arange(4.0), masks, heats)  # type: ignore[arg-type]
    assert (run.all.p_auroc, run.all.p_ap) == (by_hand.p_auroc, by_hand.p_ap)


def test_neither_the_order_of_categories_nor_which_others_there_are_changes_a_bit(
    source: Source, plan: Plan, found: Evaluation
) -> None:
    turned = evaluate(replace(source, scans=(*source.chosen("tablet"), *source.chosen("bun"))), MAKERS, plan)
    assert turned.facts() == found.facts()
    alone = evaluate(replace(source, scans=source.chosen("tablet")), MAKERS, plan)
    for one in (turned, alone):
        assert one.measured["tablet"].facts()["runs"] == found.measured["tablet"].facts()["runs"]


def test_features_are_made_once_for_all_shots_seeds_and_variants(source: Source) -> None:
    makers = [Counted(maker) for maker in MAKERS]
    few = Source(name="x", scans=source.chosen("bun"))
    several = {"one": SMALL, "two": replace(SMALL, foreground="corners", plane_distance=0.004)}
    measure(few, "bun", makers, Plan(variants=several, shots=(1, 2), seeds=3), lambda what, done, total: None)
    # Two good parts with a copy each, and four to measure on.
    assert [maker.asked for maker in makers] == [8, 8]


def test_each_variant_sees_the_part_where_its_own_choices_put_it(source: Source) -> None:
    few = Source(name="x", scans=source.chosen("bun"))
    other = replace(SMALL, foreground="corners", plane_distance=0.004, augmentations=0)
    both = evaluate(few, MAKERS, Plan(variants={"a": SMALL, "b": other}, shots=(2,), seeds=1)).measured["bun"].runs
    for number, config in enumerate((SMALL, other)):
        alone = evaluate(few, MAKERS, Plan(variants={"a": config}, shots=(2,), seeds=1)).measured["bun"].runs
        assert both[number].all == alone[0].all
    assert both[0].all != both[1].all


def test_means_are_over_categories_first_and_deviations_over_seeds(found: Evaluation) -> None:
    told = found.summary("default", 1)
    for name in FIGURES:
        by_seed_ = [
            np.mean([
                getattr(run.all, name) for one in found.measured.values() for run in one.runs
                if (run.shots, run.seed) == (1, seed)
            ])
            for seed in (0, 1)
        ]  # fmt: skip
        assert told.mean[name] == pytest.approx(np.mean(by_seed_))
        assert told.std[name] == pytest.approx(np.std(by_seed_, ddof=1))
    bun = found.summary("default", 1, category="bun", defect="both")
    runs = [r.defects["both"].aupro30 for r in found.measured["bun"].runs if r.shots == 1]
    assert bun.mean["aupro30"] == pytest.approx(np.mean(runs))


def test_what_cannot_be_told_is_left_out_of_means_and_null_in_json() -> None:
    def run(seed: int, value: float) -> Run:
        figures = DetectionFigures(**dict.fromkeys(FIGURES, value))
        return Run(variant="a", shots=1, seed=seed, all=figures, defects={"dent": figures})

    one = {
        name: Measured(category=name, runs=(run(0, value), run(1, value)), good=1, defective=1, wrong=())
        for name, value in (("a", 0.5), ("b", float("nan")))
    }
    found = Evaluation(source="x", features=[], plan=Plan(variants={"a": SMALL}, shots=(1,), seeds=2), measured=one)
    assert found.summary("a", 1).mean["p_auroc"] == 0.5
    apart = replace(one["a"], runs=(run(0, 0.5), run(1, 0.7)))
    assert replace(found, measured={"a": apart}).summary("a", 1).std["p_auroc"] == pytest.approx(0.02**0.5)
    told = json.loads(json.dumps(found.facts(), allow_nan=False))["results"]["a"]["1"]
    assert told["mean"]["i_auroc"] == 0.5
    assert told["mean"]["std"]["i_auroc"] == 0
    assert told["categories"]["b"]["i_auroc"] is None
    assert told["defects"]["dent"]["aupro05"] == 0.5
    again = Measured.from_facts("b", json.loads(json.dumps(one["b"].facts())))
    assert np.isnan(again.runs[0].all.p_ap)


def test_a_category_that_was_measured_is_not_measured_again(
    source: Source, plan: Plan, found: Evaluation, tmp_path: Path
) -> None:
    keep = tmp_path / "figures.json"
    asked = iter([False, True])
    half = evaluate(source, MAKERS, plan, keep=keep, stop=lambda: next(asked))
    assert list(half.measured) == ["bun"]
    makers = [Counted(maker) for maker in MAKERS]
    whole = evaluate(source, makers, plan, keep=keep)
    assert makers[0].asked == 8
    assert whole.measured == found.measured
    evaluate(source, makers, plan, keep=keep)
    assert makers[0].asked == 8
    with pytest.raises(UsageError, match="holds figures of other shots"):
        evaluate(source, MAKERS, replace(plan, shots=(1,)), keep=keep)
    keep.write_text("[]")
    with pytest.raises(UsageError, match="is not what this command writes"):
        evaluate(source, MAKERS, plan, keep=keep)


def test_bad_scans_are_left_out_and_told_of_and_another_good_part_stands_in(tmp_path: Path) -> None:
    root = tree(tmp_path / "drawn", categories=("bun",), train=3)
    first = next(by_seed(good_scans(open_samples(f"mvtec3d:{root}"), "bun"), 0))
    first.files[0].write_bytes(b"")
    (root / "bun/test/good/rgb/000.png").write_bytes(b"")
    source = open_samples(f"mvtec3d:{root}")
    plan = Plan(variants={"a": SMALL}, shots=(1,), seeds=1)
    found = measure(source, "bun", MAKERS, plan, lambda what, done, total: None)
    assert len(found.wrong) == 2
    assert (found.good, found.defective) == (1, 2)
    with pytest.raises(InputError, match="2 good parts can be read, too few for 3 shots"):
        measure(source, "bun", MAKERS, replace(plan, shots=(3,)), lambda what, done, total: None)


def test_plans_and_sources_that_cannot_be_are_refused(source: Source, plan: Plan) -> None:
    for changes, said in (
        ({"shots": ()}, "numbers of 1 or more, got none"), ({"shots": (0,)}, "numbers of 1 or more, got 0"),
        ({"seeds": 0}, "seeds must be 1 or more"),
        ({"variants": {"a": SMALL, "b": default()}}, "variants differ in side"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=said):
            replace(plan, **changes)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="has 2 good parts of bun to learn from, not 4"):
        evaluate(source, MAKERS, replace(plan, shots=(4,)))
    train = Source(name="x", scans=source.chosen("bun", "train"))
    with pytest.raises(InputError, match="has not both good and defective parts of bun in test"):
        evaluate(train, MAKERS, plan)


def test_the_baseline_is_plain_nearest_neighbours_with_as_large_a_bank() -> None:
    assert nearest_of(default()) == nearest()
    assert nearest_of(replace(reference(), ratio=0.3)).ratio == 0.3


def test_each_variant_of_an_ablation_changes_one_thing() -> None:
    found = variants("default", default())
    assert found["default"] == default()
    assert set(MODULES) < set(found)
    assert found["reference"] == replace(reference(), **_nothing_like_it(default()))
    touched = [
        {option for option in CifConfig.__slots__ if getattr(one, option) != getattr(default(), option)}
        for name, one in found.items() if name not in ("default", "reference")
    ]  # fmt: skip
    assert all(touched)
    every = [option for options in touched for option in options if option != "missing"]
    assert len(every) == len(set(every))
    whole = {o for o in CifConfig.__slots__ if getattr(found["reference"], o) != getattr(default(), o)}
    assert whole - set(every) <= {"background_share", "augmentations", "missing"}


def _nothing_like_it(config: CifConfig) -> dict[str, object]:
    return {option.name: option.value for option in config.options() if option.reference is None}


def test_the_public_code_s_own_ablation_has_the_modules_alone() -> None:
    assert set(variants("reference", reference())) == {"reference", *MODULES}


def test_published_figures_stand_beside_their_own_categories_alone() -> None:
    assert {row.shots for row in published_of("mvtec3d", ["bagel", "tire"]) if row.method == "CIF"} == {1, 2, 4}
    assert published_of("mvtec3d", ["bagel", "bun"]) == ()
    assert published_of("mvtec3d", []) == ()
    assert {row.data for row in published_of("eyecandies", DATA["Eyecandies"])} == {"Eyecandies"}
    assert published_of("rgbd", ["bagel"]) == ()
