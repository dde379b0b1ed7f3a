"""Training from a cache: the curve of training from frames, and what is refused on the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mimica import checkpoint
from mimica.data.augment import Augmentation
from mimica.data.clipset import ClipSet
from mimica.data.generated import Generated
from mimica.data.stored import digest_of
from mimica.encoders.cache import Cache
from mimica.encoders.clip import load_clip
from mimica.encoders.towers import DualEncoder
from mimica.errors import CheckpointError, UsageError
from mimica.recognition.ous.model import Ous
from mimica.training import runs
from mimica.training.batches import Batches
from mimica.training.cache import fill, network_of, numbers_of
from mimica.training.cached import CachedBatches, cached, cached_logits
from mimica.training.calibrate import logits_of_set
from mimica.training.plateau import LOSS
from mimica.training.recipes import Training
from mimica.training.runs import train_recogniser
from tiny_runs import Killed, kill_at, rows
from tiny_scenes import both, clips, recipe

pytestmark = pytest.mark.usefixtures("minilm")
STRONG = Augmentation(crop=(0.5, 1.0), brightness=0.4)
FIGURES = {"loss", "contrast", "similarity", "polarity", "face_alone", "scene_alone", "war", "uar", LOSS}


def plateau(how: Training) -> Training:
    return replace(how, loop=replace(how.loop, schedule="plateau"), select_on="validation")


def apart(one: Path, other: Path) -> float:
    """How far the curves of two runs are apart at most, in whatever they tell of their losses and figures."""
    pairs = list(zip(rows(one), rows(other), strict=True))
    assert all(a.keys() == b.keys() for a, b in pairs)
    return max(abs(a[name] - b[name]) for a, b in pairs for name in FIGURES & a.keys())


@pytest.fixture(scope="module")
def encoders(tiny_dual: DualEncoder, tiny_clip: Path) -> dict[str, DualEncoder]:
    return {"compact": tiny_dual, "clip": load_clip(tiny_clip)}


@pytest.mark.parametrize(
    ("on", "name"), [("compact", "ous"), ("clip", "ous"), ("compact", "ous-repo"), ("clip", "ous-paper")]
)
def test_from_a_cache_in_full_precision_the_curve_is_that_of_training_from_frames(
    tmp_path: Path, encoders: dict[str, DualEncoder], on: str, name: str
) -> None:
    encoder, how = encoders[on], plateau(recipe(name))
    size = encoder.vision.size
    learned, held = clips(17, size=size), clips(7, seed=1, size=size)
    fill(tmp_path / "cache", how, encoder, both(learned, held), precision="fp32")
    path = train_recogniser(how, encoder, learned, out=tmp_path / "frames", held=held)
    assert (
        train_recogniser(how, encoder, learned, out=tmp_path / "cached", held=held, cache=tmp_path / "cache").name
        == path.name
    )
    assert len(rows(tmp_path / "frames")) == 3
    assert rows(tmp_path / "frames")[0]["loss"] != rows(tmp_path / "frames")[2]["loss"]
    assert apart(tmp_path / "frames", tmp_path / "cached") < 1e-3


def test_from_a_cache_in_half_precision_the_curve_is_near(tmp_path: Path, tiny_dual: DualEncoder) -> None:
    learned = clips(14)
    fill(tmp_path / "cache", recipe(), tiny_dual, learned)
    train_recogniser(recipe(), tiny_dual, learned, out=tmp_path / "frames")
    train_recogniser(recipe(), tiny_dual, learned, out=tmp_path / "cached", cache=tmp_path / "cache")
    assert 0 < apart(tmp_path / "frames", tmp_path / "cached") < 2e-2


def test_from_as_many_views_as_epochs_the_curve_is_that_of_augmented_frames(
    tmp_path: Path, tiny_dual: DualEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = replace(recipe(), augmentation=STRONG, balance=0.0)
    learned = clips(12)
    fill(tmp_path / "cache", how, tiny_dual, learned, precision="fp32", views=3)
    train_recogniser(how, tiny_dual, learned, out=tmp_path / "cached", cache=tmp_path / "cache")
    numbers = numbers_of([digest_of(learned, i) for i in range(len(learned))])

    class ByDigest(Batches):
        def views(self, chosen: np.ndarray, epoch: int, again: Any = 0) -> dict[str, torch.Tensor]:
            return Batches(
                self.clips, batch=4, frames=3, augmentation=STRONG, sampling="uniform", numbers=numbers
            ).views(chosen, epoch, again)

    monkeypatch.setattr(runs, "Batches", ByDigest)
    train_recogniser(how, tiny_dual, learned, out=tmp_path / "frames")
    assert apart(tmp_path / "frames", tmp_path / "cached") < 1e-3


def test_no_frame_is_looked_at_while_a_cache_is_learned_from(
    tmp_path: Path, tiny_dual: DualEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned, held = clips(14), clips(7, seed=1)
    fill(tmp_path / "cache", recipe(), tiny_dual, both(learned, held))
    monkeypatch.setattr(runs, "calibration", lambda *given, **how: {})
    monkeypatch.setattr(type(tiny_dual.vision), "forward", None)
    monkeypatch.setattr(type(tiny_dual.vision), "with_layers", None)
    train_recogniser(recipe(), tiny_dual, learned, out=tmp_path / "run", held=held, cache=tmp_path / "cache")
    assert [row["epoch"] for row in rows(tmp_path / "run")] == [0, 1, 2]


def test_a_run_from_a_cache_says_so_and_how_it_was_kept(tmp_path: Path, tiny_dual: DualEncoder) -> None:
    how, learned = replace(recipe(), augmentation=STRONG), clips(7)
    fill(tmp_path / "plain", how, tiny_dual, learned)
    fill(tmp_path / "views", how, tiny_dual, learned, precision="fp32", views=2)
    for name, told in (
        ("plain", {"precision": "fp16", "views": 0}),
        ("views", {"precision": "fp32", "views": 2, "seed": 0}),
    ):
        path = train_recogniser(how, tiny_dual, learned, out=tmp_path / f"run-{name}", cache=tmp_path / name)
        assert checkpoint.read_facts(path)["cache"] == told
    assert "cache" not in checkpoint.read_facts(train_recogniser(how, tiny_dual, learned, out=tmp_path / "frames"))


def test_a_killed_run_goes_on_from_its_cache_and_from_no_other_features(tmp_path: Path, tiny_dual: DualEncoder) -> None:
    learned, out = clips(14), tmp_path / "killed"
    fill(tmp_path / "cache", recipe(), tiny_dual, learned)
    fill(tmp_path / "other", recipe(), tiny_dual, learned, precision="fp32")
    whole = train_recogniser(recipe(), tiny_dual, learned, out=tmp_path / "whole", cache=tmp_path / "cache")
    with pytest.raises(Killed):
        train_recogniser(recipe(), tiny_dual, learned, out=out, cache=tmp_path / "cache", report=kill_at(1, 2))
    for cache in (tmp_path / "other", None):
        with pytest.raises(CheckpointError, match="was made with another cache; resume with the same or"):
            train_recogniser(recipe(), tiny_dual, learned, out=out, cache=cache, resume=True)
    resumed = train_recogniser(recipe(), tiny_dual, learned, out=out, cache=tmp_path / "cache", resume=True)
    assert resumed.read_bytes() == whole.read_bytes()


# Which features a batch has


def batches(
    folder: Path, encoder: DualEncoder, how: Training, given: ClipSet, views: int, **more: Any
) -> CachedBatches:
    cache = fill(folder / "cache", how, encoder, given, precision="fp32", views=views)
    features = cached(cache, how, network_of(how, encoder, given), encoder.identity)
    return CachedBatches(given, features, batch=4, frames=3, **more)


def test_an_epoch_takes_the_view_of_its_number_modulo_how_many_there_are(
    tmp_path: Path, tiny_dual: DualEncoder
) -> None:
    given = clips(8)
    of = batches(tmp_path, tiny_dual, replace(recipe(), augmentation=STRONG), given, 2)
    chosen = np.arange(8)
    first, second, third = (of.views(chosen, epoch)["faces"] for epoch in (0, 1, 2))
    cache = Cache.opened(tmp_path / "cache")
    for i in range(8):
        assert torch.equal(second[i], cache.row(1, digest_of(given, i))["faces"])
    assert not torch.equal(first, second)
    assert torch.equal(first, third)
    assert torch.equal(of.views(chosen, 0, again=1)["faces"], second), "a clip that comes again shows its next view"


def test_order_labels_and_what_is_valid_are_those_of_batches_of_frames(tmp_path: Path, tiny_dual: DualEncoder) -> None:
    given = clips(14)
    how = {"balance": 0.7, "shorten": 0.8, "seed": 3}
    of = batches(tmp_path, tiny_dual, recipe(), given, 0, **how)
    frames = Batches(given, batch=4, frames=3, **how)  # type: ignore[arg-type]
    pairs = list(zip(of.batches(1), frames.batches(1), strict=True))
    assert len(pairs) == 3
    shortened = False
    for one, other in pairs:
        assert one.keys() == {"faces", "scenes", "early", "valid", "label", "draw"}
        assert all(torch.equal(one[name], other[name]) for name in ("valid", "label", "draw"))
        assert all(float(one[name][~one["valid"]].abs().sum()) == 0 for name in ("faces", "scenes", "early"))
        assert bool((one["faces"][one["valid"]].abs().sum(-1) > 0).all())
        shortened |= not bool(one["valid"].all())
    assert shortened
    again = list(of.batches(1, first=1))
    assert torch.equal(again[0]["faces"], pairs[1][0]["faces"])


def test_a_method_without_polarity_learns_from_a_cache_that_holds_more(tmp_path: Path, tiny_dual: DualEncoder) -> None:
    learned = clips(8)
    cache = fill(tmp_path / "cache", recipe("ous-paper"), tiny_dual, learned)
    without = recipe("ous-repo")
    network = network_of(without, tiny_dual, learned)
    of = CachedBatches(learned, cached(cache, without, network, tiny_dual.identity), batch=4, frames=3)
    assert "early" not in next(of.batches(0))


@pytest.mark.parametrize("shortest", [1, 7])
def test_logits_from_a_cache_are_those_from_frames(tmp_path: Path, tiny_dual: DualEncoder, shortest: int) -> None:
    given = clips(11)
    cache = fill(tmp_path / "cache", recipe(), tiny_dual, given, precision="fp32")
    network = network_of(recipe(), tiny_dual, given)
    features = cached(cache, recipe(), network, tiny_dual.identity)
    found = cached_logits(network, given, features, batch=shortest)
    assert np.allclose(found, logits_of_set(network, given, frames=4), atol=1e-4)


def test_what_was_encoded_is_read_as_frames_are_by_every_way_into_the_network(tiny_dual: DualEncoder) -> None:
    given = clips(5)
    network = network_of(recipe(), tiny_dual, given)
    assert isinstance(network, Ous)
    shown = Batches(given, batch=5, frames=3).views(np.arange(5), 0)
    from mimica.clips import ClipBatch

    valid = torch.ones(5, 3, dtype=torch.bool)
    frames = ClipBatch(valid=valid, **{name: network.vision.normalise(view) for name, view in shown.items()})
    seen = network.encode(frames)
    assert network.encode(seen) is seen
    with torch.no_grad():
        assert torch.equal(network(seen), network(frames))
        assert torch.equal(network.views(seen)["scene"], network.views(frames)["scene"])
        assert torch.equal(network.features(seen, ["early_faces"])["early_faces"],
                           network.features(frames, ["early_faces"])["early_faces"])  # fmt: skip


# Refused, with the reason


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory, tiny_dual: DualEncoder) -> Path:
    """A cache with views."""
    folder = tmp_path_factory.mktemp("there") / "cache"
    fill(folder, replace(recipe(), augmentation=STRONG), tiny_dual, clips(8), views=1)
    return folder


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sampling": "segment"}, r"another sampling, frames \(sampling: uniform, not segment; frames: 4, not 3\)"),
        ({"longest": 3}, r"another frames \(frames: 4, not 3\)"),
        ({"frames": 2}, r"another frames of a view \(frames of a view: 3, not 2\)"),
        (
            {"augmentation": Augmentation()},
            r"another augmentation \(augmentation: crop \[0.5, 1.0\], not \[1.0, 1.0\], ",
        ),
    ],
)
def test_a_recipe_that_reads_otherwise_is_refused(
    tmp_path: Path, there: Path, tiny_dual: DualEncoder, changes: dict[str, Any], said: str
) -> None:
    how = replace(recipe(), **{"augmentation": STRONG, **changes})
    if "augmentation" not in changes:
        train_recogniser(
            replace(recipe(), augmentation=STRONG, loop=replace(recipe().loop, epochs=1, seed=9)), tiny_dual, clips(8),
            out=tmp_path / "fits", cache=there,
        )  # fmt: skip
    with pytest.raises(CheckpointError, match=f"{said}.*; train as it was made, or make another with mimica cache"):
        train_recogniser(how, tiny_dual, clips(8), out=tmp_path / "run", cache=there)


def test_another_encoder_is_refused(tmp_path: Path, there: Path, tiny_dual: DualEncoder) -> None:
    other = replace(tiny_dual, identity="0" * 64)
    with pytest.raises(CheckpointError, match=rf"another encoder \(encoder: {tiny_dual.identity[:20]}…, not 0"):
        train_recogniser(replace(recipe(), augmentation=STRONG), other, clips(8), out=tmp_path, cache=there)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"polarity_tokens": "cls"}, "first layers: tokens patches, not cls"),
        ({"scene_mask_face": True}, "face hidden in the scene: false, not true"),
    ],
)
def test_a_method_that_takes_something_else_of_frames_is_refused(
    tmp_path: Path, there: Path, tiny_dual: DualEncoder, options: dict[str, Any], said: str
) -> None:
    how = replace(recipe(), augmentation=STRONG)
    how = replace(how, model=replace(how.model, **options))  # type: ignore[type-var]
    with pytest.raises(CheckpointError, match=said):
        train_recogniser(how, tiny_dual, clips(8), out=tmp_path, cache=there)


def test_another_transform_of_the_same_encoder_is_refused(
    tmp_path: Path, there: Path, tiny_dual: DualEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    vision = type(tiny_dual.vision)
    normalise = vision.normalise
    monkeypatch.setattr(vision, "normalise", lambda self, pixels: 2 * normalise(self, pixels))
    with pytest.raises(CheckpointError, match="another normalisation"):
        train_recogniser(replace(recipe(), augmentation=STRONG), tiny_dual, clips(8), out=tmp_path, cache=there)


def test_clips_that_are_not_there_or_have_changed_are_named(
    tmp_path: Path, there: Path, tiny_dual: DualEncoder
) -> None:
    how = replace(recipe(), augmentation=STRONG)
    mend = "mimica cache with the same --out adds what is missing"
    with pytest.raises(CheckpointError, match=f"lacks 2 of 10 clips: 0/8 is not there; {mend}"):
        train_recogniser(how, tiny_dual, clips(10), out=tmp_path, cache=there)
    for view in ("frames", "scenes"):
        changed = clips(8)
        getattr(changed, view)[3][0, 0, 0, 0] ^= 1
        with pytest.raises(CheckpointError, match=f"lacks 1 of 8 clips: 0/3 has changed since; {mend}"):
            train_recogniser(how, tiny_dual, changed, out=tmp_path, cache=there)


def test_a_cache_lacking_a_view_lacks_its_clips(tmp_path: Path, tiny_dual: DualEncoder) -> None:
    how = replace(recipe(), augmentation=STRONG)
    fill(tmp_path / "cache", how, tiny_dual, clips(8), views=2)
    [shard] = (tmp_path / "cache").glob("view1-*")
    shard.unlink()
    with pytest.raises(CheckpointError, match="lacks 8 of 8 clips"):
        train_recogniser(how, tiny_dual, clips(8), out=tmp_path / "run", cache=tmp_path / "cache")


def test_what_was_held_out_is_there_too_or_missed(tmp_path: Path, there: Path, tiny_dual: DualEncoder) -> None:
    with pytest.raises(CheckpointError, match="lacks 7 of 7 clips: 5/0 is not there"):
        train_recogniser(
            replace(recipe(), augmentation=STRONG),
            tiny_dual,
            clips(8),
            held=clips(7, seed=5),
            out=tmp_path,
            cache=there,
        )


def test_a_clip_that_was_labelled_anew_needs_no_new_features(
    tmp_path: Path, there: Path, tiny_dual: DualEncoder
) -> None:
    given = clips(8)
    how = replace(recipe(), augmentation=STRONG)
    relabelled = replace(given, labels=(given.labels + 1) % 7)
    train_recogniser(how, tiny_dual, relabelled, out=tmp_path / "other", cache=there)
    train_recogniser(how, tiny_dual, given, out=tmp_path / "first", cache=there)
    assert rows(tmp_path / "other")[0]["loss"] != rows(tmp_path / "first")[0]["loss"]


def test_a_method_that_learns_inside_the_tower_takes_no_cache(
    tmp_path: Path, there: Path, tiny_dual: DualEncoder
) -> None:
    from mimica.training.recipes import recipe_of

    how = replace(recipe_of("linear-probe"), loop=recipe().loop, frames=3, longest=4)
    with pytest.raises(UsageError, match="linear-probe learns from frames and not from a cache; leave out --cache"):
        train_recogniser(how, tiny_dual, clips(8), out=tmp_path, cache=there)


def test_generated_clips_are_learned_from_in_a_cache_as_in_frames(
    tmp_path: Path, encoders: dict[str, DualEncoder]
) -> None:
    encoder, how = encoders["compact"], recipe("ous")
    size = encoder.vision.size
    learned, held, more = (clips(7, seed=seed, size=size) for seed in range(3))
    made = Generated(clips=replace(more, names=[f"made {name}" for name in more.names]))
    where: dict[str, Any] = {"held": held, "generated": made}
    fill(tmp_path / "cache", how, encoder, both(learned, held), precision="fp32")
    with pytest.raises(CheckpointError, match=r"lacks 7 of 14 clips: made .* is not there"):
        train_recogniser(how, encoder, learned, out=tmp_path / "none", cache=tmp_path / "cache", **where)
    fill(tmp_path / "cache", how, encoder, made.clips, precision="fp32")
    train_recogniser(how, encoder, learned, out=tmp_path / "frames", **where)
    train_recogniser(how, encoder, learned, out=tmp_path / "cached", cache=tmp_path / "cache", **where)
    assert apart(tmp_path / "frames", tmp_path / "cached") < 1e-3
    train_recogniser(how, encoder, learned, out=tmp_path / "without", held=held)
    assert apart(tmp_path / "frames", tmp_path / "without") > 1e-3
