"""Real and generated clips together: what a batch is made of, what each clip counts, and real ones alone at the end."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mimica import checkpoint
from mimica.data.augment import Augmentation
from mimica.data.clipset import ClipSet, manifest
from mimica.data.generated import Generated
from mimica.encoders.towers import DualEncoder
from mimica.errors import CheckpointError, UsageError
from mimica.labels import EXPRESSIONS, LabelSpace
from mimica.recognition import weighed
from mimica.recognition.duse.config import DuseConfig
from mimica.training.adjust import shift_of
from mimica.training.batches import Batches
from mimica.training.generated import Mixed, Mixture, mixing, stated, together, used
from mimica.training.loop import LoopConfig
from mimica.training.recipes import Training, with_method
from mimica.training.runs import _Learner, train_recogniser
from oracles import adjust
from oracles import weighed as oracle
from tiny_runs import Given, Killed, batch_of, kill_at, rows

STILL = Augmentation(angle=0, scale=0, jitter=0, flip=0, gamma=0, blur=0, erase=0, motion=0)
ABC = LabelSpace(name="abc", names=("a", "b", "c"), descriptions=(("a",), ("b",), ("c",)))
TRAINING = Training(
    model=DuseConfig(depth="deep", tokens=2, heads=2), encoder="tiny", frames=2, longest=2, augmentation=STILL,
    loop=LoopConfig(epochs=2, batch=6, lr=3e-3, ema=0.5),
)  # fmt: skip


def shades(count: list[int], first: int = 0, G: int = 3) -> ClipSet:
    """`count[c]` clips of class c of one frame; clip i has the shade first + i."""
    labels = np.repeat(np.arange(3), count)
    frames = [np.full((1, 8, 8, G), first + i, np.uint8) for i in range(len(labels))]
    return ClipSet(frames=frames, labels=labels, names=[f"{first + i}" for i in range(len(labels))], space=ABC)


def both_of(
    real: ClipSet, made: Generated, *, batch: int, mixture: Mixture | None = None, epochs: int = 1,
    accumulate: int = 1, **how: Any,
) -> Mixed:  # fmt: skip
    mixture = mixture or Mixture()
    plain = Batches(real, batch=batch, augmentation=STILL, **how)
    more = {"per_epoch": len(real), **how}
    both = Batches(
        together(real, made), batch=batch, augmentation=STILL, mixing=mixing(real, made, mixture), **more
    )  # fmt: skip
    return Mixed(plain, both, epochs=epochs, accumulate=accumulate, mixture=mixture)


def seen(batch: dict[str, torch.Tensor]) -> list[int]:
    """Which clips a batch holds, by their shades."""
    return (batch["face"][:, 0, 0, 4, 4] * 255).round().int().tolist()


def soft(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.array([oracle.soft(label, random.dirichlet(np.ones(3)).tolist()) for label in labels])


# What a clip counts


def test_the_loss_of_weighed_clips_with_soft_labels_is_that_of_the_formula() -> None:
    torch.manual_seed(0)
    logits, labels = 3 * torch.randn(5, 3), np.array([0, 1, 2, 1, 0])
    shares, weight = soft(labels), [1.0, 0.7, 1.0, 0.7, 0.7]
    found = weighed.cross_entropy(logits, torch.from_numpy(shares).float(), torch.tensor(weight))
    assert float(found) == pytest.approx(oracle.cross_entropy(logits.tolist(), shares.tolist(), weight), rel=1e-5)
    plain = weighed.cross_entropy(logits, torch.from_numpy(labels), torch.tensor(weight))
    hard = oracle.cross_entropy(logits.tolist(), np.eye(3)[labels].tolist(), weight)
    assert float(plain) == pytest.approx(hard, rel=1e-5)
    assert float(plain) != pytest.approx(float(found), rel=1e-2)


def test_without_weights_the_loss_is_the_plain_one_to_the_bit() -> None:
    logits, labels = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    assert torch.equal(weighed.cross_entropy(logits, labels), torch.nn.functional.cross_entropy(logits, labels))


def test_what_a_clip_counts_does_not_depend_on_which_others_are_in_its_batch() -> None:
    logits, labels, weight = torch.randn(6, 3), torch.tensor([0, 1, 2, 1, 0, 2]), torch.tensor([1, 0.7, 0.7, 1, 1, 0.7])
    halves = [weighed.cross_entropy(logits[part], labels[part], weight[part]) for part in (slice(0, 2), slice(2, 6))]
    assert torch.allclose(weighed.cross_entropy(logits, labels, weight), (2 * halves[0] + 4 * halves[1]) / 6)


def test_logits_are_adjusted_by_how_often_classes_are_drawn_in_batches_of_this_kind() -> None:
    logits, labels = torch.randn(6, 3), torch.tensor([0, 1, 2, 1, 0, 2])
    alone, mixed = np.array([0.8, 0.1, 0.1]), np.array([0.4, 0.3, 0.3])
    network: Any = Given(logits)
    learner = _Learner(network, shift_of(alone, 1.0), lambda value: value, shift_of(mixed, 1.0))
    for shares, more in ((alone, {}), (mixed, {"weight": torch.ones(6)})):
        expected = adjust.loss(logits.tolist(), labels.tolist(), shares.tolist(), 1.0)
        assert float(learner({**batch_of(labels), **more})["loss"]) == pytest.approx(expected, rel=1e-5)


# What a batch is made of


@pytest.mark.parametrize(("count", "share"), [(200, 0.5), (200, 0.3), (10, 0.5), (1, 0.5)])
def test_at_most_its_share_of_every_batch_is_generated_and_no_more_than_there_are(count: int, share: float) -> None:
    made = Generated(clips=shades([0, 0, count], first=40))
    data = both_of(shades([30, 8, 2]), made, batch=7, mixture=Mixture(share=share, real_last=0), balance=0.0, epochs=50)
    batches = [batch for epoch in range(50) for batch in data.batches(epoch)]
    numbers = [sum(s >= 40 for s in seen(batch)) for batch in batches]
    assert len(numbers) == 250
    assert max(numbers) <= int(share * 7)
    expected = min(count / (40 + count), int(share * 7) / 7)
    assert np.mean(numbers) / 7 == pytest.approx(expected, abs=0.01)
    labels = torch.cat([batch["label"] for batch in batches])
    assert (labels.bincount() / len(labels)).tolist() == pytest.approx(data.both.shares.tolist(), abs=0.02)


def test_with_full_balance_classes_are_equal_over_real_and_generated_clips_together() -> None:
    made = Generated(clips=shades([0, 4, 14], first=40))
    data = both_of(shades([30, 8, 2]), made, batch=10, mixture=Mixture(real_last=0), balance=1.0, epochs=30)
    labels = torch.cat([b["label"] for epoch in range(30) for b in data.batches(epoch)])
    assert (labels.bincount() / len(labels)).tolist() == pytest.approx([1 / 3] * 3, abs=0.01)
    assert data.both.shares == pytest.approx([1 / 3] * 3)


def test_every_clip_has_its_label_its_weight_and_its_shares() -> None:
    made = shades([5, 5, 5], first=40)
    shares = soft(made.labels)
    data = both_of(shades([5, 5, 5]), Generated(clips=made, shares=shares), batch=6, mixture=Mixture(weight=0.6))
    for batch in list(data.batches(0))[:1]:
        for shade, label, weight, share in zip(
            seen(batch), batch["label"].tolist(), batch["weight"].tolist(), batch["shares"], strict=True
        ):
            own = shade - 40 if shade >= 40 else shade
            assert label == own // 5
            assert weight == pytest.approx(0.6 if shade >= 40 else 1.0)
            wanted = shares[own] if shade >= 40 else np.eye(3)[label]
            assert share.tolist() == pytest.approx(wanted.tolist(), abs=1e-6)


def test_with_plain_labels_there_are_no_shares() -> None:
    data = both_of(shades([5, 5, 5]), Generated(clips=shades([5, 5, 5], first=40)), batch=6)
    assert "shares" not in next(data.batches(0))
    assert next(data.batches(0))["weight"].min() == pytest.approx(0.7)


def test_grey_clips_stand_beside_coloured_ones() -> None:
    data = both_of(shades([5, 5, 5], G=1), Generated(clips=shades([5, 5, 5], first=40)), batch=6)
    batch = next(data.batches(0))
    assert batch["face"].shape[2] == 3
    assert any(s >= 40 for s in seen(batch))
    assert any(s < 40 for s in seen(batch))


def test_two_processes_take_the_halves_of_one_batch_each_with_its_share() -> None:
    real, made = shades([12, 8, 4]), Generated(clips=shades([0, 20, 20], first=40))
    whole = both_of(real, made, batch=8)
    halves = [both_of(real, made, batch=4, share=(rank, 2)) for rank in (0, 1)]
    for one, left, right in zip(whole.batches(0), halves[0].batches(0), halves[1].batches(0), strict=True):
        assert seen(one) == seen(left) + seen(right)
        if "weight" in one:
            assert sum(s >= 40 for s in seen(left)) == sum(s >= 40 for s in seen(right)) == 2


# Real clips alone at the end


@pytest.mark.parametrize(("epochs", "accumulate", "real_last", "mixed"), [
    (5, 1, 0.2, [6, 6, 6, 6, 0]), (1, 1, 0.2, [5]), (2, 2, 0.5, [6, 0]), (3, 2, 0.2, [6, 6, 2]), (2, 1, 0.0, [6, 6]),
    (2, 4, 0.5, [6, 0]),
])  # fmt: skip
def test_the_last_steps_learn_from_real_clips_alone_and_all_before_them_from_both(
    epochs: int, accumulate: int, real_last: float, mixed: list[int]
) -> None:
    mixture = Mixture(real_last=real_last)
    made = Generated(clips=shades([0, 20, 20], first=40))
    data = both_of(shades([12, 8, 4]), made, batch=4, mixture=mixture, epochs=epochs, accumulate=accumulate)
    for epoch in range(epochs):
        batches = list(data.batches(epoch))
        assert len(batches) == data.steps == 6
        assert ["weight" in batch for batch in batches] == [n < mixed[epoch] for n in range(6)]
        assert all(s < 40 for batch in batches[mixed[epoch] :] for s in seen(batch))


def test_the_batches_of_the_last_part_are_those_of_a_run_without_generated_clips() -> None:
    real = shades([12, 8, 4])
    data = both_of(
        real, Generated(clips=shades([0, 20, 20], first=40)), batch=4, epochs=2, mixture=Mixture(real_last=0.25)
    )
    for one, other in zip(
        list(data.batches(1))[3:], list(Batches(real, batch=4, augmentation=STILL).batches(1))[3:], strict=True
    ):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("first", range(7))
@pytest.mark.parametrize("ahead", [0, 2])
def test_the_batches_from_any_one_on_are_those_of_the_whole_epoch(first: int, ahead: int) -> None:
    made = Generated(clips=shades([0, 20, 20], first=40))
    data = both_of(shades([12, 8, 4]), made, batch=4, mixture=Mixture(real_last=0.5), ahead=ahead)
    whole, rest = list(data.batches(0)), list(data.batches(0, first))
    assert len(rest) == 6 - first
    for one, other in zip(rest, whole[first:], strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in other)


def test_what_was_used_is_what_came() -> None:
    made = Generated(clips=shades([0, 6, 30], first=40))
    data = both_of(shades([12, 8, 4]), made, batch=4, epochs=3, accumulate=4)
    came = [s for epoch in range(3) for b in list(data.batches(epoch))[:4] for s in seen(b) if s >= 40]
    told = used(made, data)["generated_used"]
    labels = [made.clips.labels[s - 40] for s in came]
    assert list(told["times"].values()) == np.bincount(labels, minlength=3).tolist()
    assert list(told["clips"].values()) == [len({s for s in came if made.clips.labels[s - 40] == c}) for c in range(3)]
    assert used(None, data) == {}


# Whole runs


def clips(each: int, *, seed: int = 0, name: str = "real", S: int = 48) -> ClipSet:
    """Every class is a pattern of its own with a little noise; scenes are the same upside down."""
    patterns = np.random.default_rng(9).uniform(40, 215, (7, 6, 6)).repeat(8, 1).repeat(8, 2)[:, :S, :S]
    labels, random = np.arange(7 * each) % 7, np.random.default_rng(seed)
    noisy = [patterns[c][None, :, :, None] + random.normal(0, 8, (2, S, S, 3)) for c in labels]
    frames = [np.clip(picture, 0, 255).astype(np.uint8) for picture in noisy]
    names = [f"{name}/{i}" for i in range(len(labels))]
    return ClipSet(
        frames=frames, labels=labels, names=names, manifest=manifest(name, names, labels, EXPRESSIONS),
        scenes=[one[:, ::-1].copy() for one in frames],
    )  # fmt: skip


def generated(each: int = 1, *, seed: int = 5, softly: bool = True) -> Generated:
    made = clips(each, seed=seed, name="generated")
    return Generated(clips=made, shares=0.7 * np.eye(7)[made.labels] + 0.3 / 7 if softly else None)


@pytest.mark.usefixtures("minilm")
@pytest.mark.parametrize("method", ["duse", "ous", "linear-probe", "coop", "dfer-clip-head"])
def test_every_method_learns_from_generated_clips_and_says_how_many_it_used(
    method: str, tiny_dual: DualEncoder, tmp_path: Path
) -> None:
    recipe, made = with_method(TRAINING, method, ["blocks=1"] if method == "ous" else []), generated()
    path = train_recogniser(recipe, tiny_dual, clips(3), out=tmp_path / "with", generated=made)
    facts = checkpoint.read_facts(path)
    assert facts["generated"] == {**made.facts(), "share": 0.5, "weight": 0.7, "real_last": 0.2}
    results = json.loads((tmp_path / "with" / "results.json").read_text())
    assert results["generated_used"] == facts["generated_used"]
    assert sum(facts["generated_used"]["times"].values()) > 0
    assert facts["generated_used"]["clips"].keys() == set(EXPRESSIONS.names)
    assert facts["data"] == clips(3).manifest
    assert "mixture" not in facts["recipe"]


@pytest.mark.usefixtures("minilm")
@pytest.mark.parametrize(("method", "at"), [("duse", (0, 2)), ("duse", (1, 2)), ("ous", (1, 1))])
def test_a_run_with_generated_clips_that_was_killed_goes_on_to_the_same_file(
    method: str, at: tuple[int, int], tiny_dual: DualEncoder, tmp_path: Path
) -> None:
    recipe = with_method(TRAINING, method, ["blocks=1"] if method == "ous" else [])
    recipe = replace(recipe, loop=replace(recipe.loop, save_every=1))
    made, real = generated(), clips(3)
    whole = train_recogniser(recipe, tiny_dual, real, out=tmp_path / "whole", generated=made)
    with pytest.raises(Killed):
        train_recogniser(recipe, tiny_dual, real, out=tmp_path / "killed", generated=made, report=kill_at(*at))
    with pytest.raises(CheckpointError, match="was made with another generated clips; resume"):
        train_recogniser(recipe, tiny_dual, real, out=tmp_path / "killed", generated=generated(2), resume=True)
    resumed = train_recogniser(recipe, tiny_dual, real, out=tmp_path / "killed", generated=made, resume=True)
    assert resumed.read_bytes() == whole.read_bytes()
    assert resumed.with_suffix(".json").read_bytes() == whole.with_suffix(".json").read_bytes()
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")


@pytest.mark.usefixtures("minilm")
def test_a_share_of_nothing_is_a_run_without_generated_clips(tiny_dual: DualEncoder, tmp_path: Path) -> None:
    other = replace(TRAINING, mixture=Mixture(share=0.0, weight=0.1, real_last=0.9))
    paths = [
        train_recogniser(recipe, tiny_dual, clips(2), out=tmp_path / name, generated=made)
        for recipe, name, made in ((TRAINING, "without", None), (other, "nothing", generated()))
    ]
    mixed = train_recogniser(TRAINING, tiny_dual, clips(2), out=tmp_path / "mixed", generated=generated())
    for ending in (".safetensors", ".json"):
        one, two, three = (path.with_suffix(ending).read_bytes() for path in (*paths, mixed))
        assert one == two != three
    assert rows(tmp_path / "without") == rows(tmp_path / "nothing")


def test_the_recipe_says_nothing_of_a_mixture_where_there_is_none() -> None:
    assert "mixture" not in TRAINING.facts()
    assert stated(None, Mixture()) == {}


# Refused


@pytest.mark.parametrize(("how", "said"), [
    ({"share": 0.6}, "0 to 0.5 of a batch, not 0.6"), ({"weight": 0.0}, "counts above 0"),
    ({"weight": 1.5}, "at most 1"), ({"real_last": 1.0}, "below 1, not 1"), ({"share": float("nan")}, "not nan"),
])  # fmt: skip
def test_a_mixture_that_makes_no_sense_is_refused(how: dict[str, float], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Mixture(**how)


@pytest.mark.usefixtures("minilm")
def test_what_cannot_be_learned_together_is_refused_before_anything_is_written(
    tiny_dual: DualEncoder, tmp_path: Path
) -> None:
    plateau = replace(TRAINING, loop=replace(TRAINING.loop, schedule="plateau"))
    small = replace(TRAINING, loop=replace(TRAINING.loop, batch=1))
    words = replace(generated().clips, space=LabelSpace.of_words(list("abcdefg")))
    faces = Generated(clips=replace(generated().clips, scenes=None))
    for recipe, made, said in (
        (plateau, generated(), "plateau ends where validation stands still"),
        (small, generated(), "no room for a generated clip in a batch of 1"),
        (TRAINING, Generated(clips=words), "of the classes a, b, c, d, e, f, g, and the data has happiness"),
        (with_method(TRAINING, "ous", []), faces, "clips of generated have none"),
    ):
        with pytest.raises(UsageError, match=said):
            train_recogniser(recipe, tiny_dual, clips(1), out=tmp_path, generated=made)
    assert not list(tmp_path.iterdir())
