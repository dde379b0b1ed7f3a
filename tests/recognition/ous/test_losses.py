"""What OUS is taught by, which side of alpha it takes, and what each loss reaches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from mimica.clips import ClipBatch
from mimica.errors import UsageError
from mimica.labels import LabelSpace
from mimica.recognition.ous.losses import scene_contrast, similarity_loss
from mimica.recognition.ous.model import Ous
from mimica.training.average import counted

Build = Callable[..., Ous]
LABELS = torch.tensor([0, 4, 1])
NONE = torch.zeros(7)


def learnt(ous: Ous) -> dict[str, Tensor]:
    return {name: weight for name, weight in ous.named_parameters() if weight.requires_grad}


def learn(ous: Ous, batch: ClipBatch, **how: Any) -> dict[str, Tensor]:
    ous.zero_grad()
    told = ous.taught(batch, LABELS, shift=NONE, **how)
    told["loss"].backward()
    return told


def parts_reached(ous: Ous, batch: ClipBatch, loss: str) -> set[str]:
    """Which parts have a gradient of one of the losses alone."""
    ous.zero_grad()
    ous.taught(batch, LABELS, shift=NONE)[loss].backward()
    return {name.split(".")[0] for name, w in learnt(ous).items() if w.grad is not None and w.grad.abs().max() > 0}


def test_routed_losses_reach_only_the_parts_that_the_paper_names(build: Build, batch: ClipBatch) -> None:
    aligning = {"frames_encoder", "align_face", "align_scene"}
    routed, free = build(moved=True, route_losses=True), build(moved=True)
    assert parts_reached(routed, batch, "similarity") == aligning
    assert parts_reached(free, batch, "similarity") == aligning | {"early"}
    for ous in (routed, free):
        assert parts_reached(ous, batch, "polarity") == {"polarity"}
        assert parts_reached(ous, batch, "contrast") == {name.split(".")[0] for name in learnt(ous)}


def test_below_alpha_the_contrastive_loss_stands_alone_and_the_polarity_head_rests(
    build: Build, batch: ClipBatch
) -> None:
    above, below = (learn(build(moved=True, alpha=alpha, alone=0.0, lean=0.0), batch) for alpha in (0.0, 99.0))
    assert above["loss"] == above["contrast"] + above["similarity"] + above["polarity"]
    assert below["loss"] == below["contrast"]
    assert (above["above_alpha"], below["above_alpha"]) == (1, 0)
    ous = build(moved=True, alpha=99.0)
    learn(ous, batch)
    assert ous.polarity is not None
    assert ous.polarity.classify.weight.grad is None


def test_what_decides_is_the_mean_that_all_processes_agree_on_and_not_the_own_loss(
    build: Build, batch: ClipBatch
) -> None:
    asked: list[float] = []

    def agreed(value: Tensor) -> Tensor:
        asked.append(float(value))
        return value.new_tensor(0.5)

    told = learn(build(moved=True, alone=0.0, lean=0.0), batch, agreed=agreed)
    assert told["loss"] == told["contrast"] > 1.0
    assert asked == [pytest.approx(float((told["contrast"] + told["similarity"] + told["polarity"]).detach()))]
    assert learn(build(moved=True, losses="contrast"), batch, agreed=agreed)["loss"].isfinite()
    assert len(asked) == 1, "without a switch nothing is asked"


def test_the_running_mean_that_decides_belongs_to_the_state_of_a_run(build: Build, batch: ClipBatch) -> None:
    ous, wholes = build(moved=True, alpha_average=0.75, alpha=4.0), iter([8.0, 0.0, 0.0, 0.0])
    sides = [
        float(learn(ous, batch, agreed=lambda value: value.new_tensor(next(wholes)))["above_alpha"]) for _ in range(4)
    ]
    assert sides == [1, 1, 1, 0]  # 8, 6, 4.5, 3.375
    assert {name: float(t) for name, t in counted(ous).items()} == {"reached": 3.375}
    assert counted(build()) == {}


def test_a_label_space_without_polarity_is_refused_where_that_is_learned(build: Build) -> None:
    pair = LabelSpace(name="own", names=("up", "down"), descriptions=(("it rises",), ("it sinks",)))
    with pytest.raises(UsageError, match=r"label space 'own' states none; give .polarity. in its label_space\.json"):
        build(space=pair)
    for choices in ({"polarity": "none"}, {"losses": "contrast"}):
        assert build(space=pair, **choices).polarity_of is None
    assert build().polarity_of.tolist() == [2, 0, 1, 0, 1, 0, 0]  # type: ignore[union-attr]


# Clips that count differently and are in part of several classes


def of_one(batch: ClipBatch, i: int) -> ClipBatch:
    assert batch.scene is not None
    return ClipBatch(face=batch.face[i : i + 1], valid=batch.valid[i : i + 1], scene=batch.scene[i : i + 1])


@pytest.mark.parametrize("loss", ["contrast", "similarity", "polarity", "face_alone", "scene_alone", "loss"])
def test_each_loss_of_weighed_clips_with_soft_labels_is_the_sum_over_clips_and_classes(
    build: Build, batch: ClipBatch, loss: str
) -> None:
    ous, weight = build(moved=True, alpha=0.0, alone=0.5), torch.tensor([1.0, 0.7, 0.4])
    shares = torch.eye(7)[LABELS] * 0.7 + torch.rand(3, 7, generator=torch.Generator().manual_seed(1)).softmax(-1) * 0.3
    found = ous.taught(batch, shares, shift=NONE, weight=weight)[loss]
    expected = torch.tensor(0.0)
    for i in range(3):
        for label in range(7):
            alone = ous.taught(of_one(batch, i), torch.tensor([label]), shift=NONE)[loss]
            expected = expected + weight[i] * shares[i, label] * alone / 3
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found, ous.taught(batch, LABELS, shift=NONE)[loss], rtol=1e-3)


def test_in_the_literal_similarity_each_clip_counts_by_its_weight_in_every_sum() -> None:
    random = torch.Generator().manual_seed(3)
    faces, scenes = torch.randn(3, 5, generator=random), torch.randn(3, 5, generator=random)
    weight = torch.tensor([1.0, 0.7, 0.0])
    above = sum(w * (f * s).sum() for w, f, s in zip(weight, faces, scenes, strict=True))
    below = [sum(w * (x * x).sum() for w, x in zip(weight, of, strict=True)) for of in (faces, scenes)]
    found = similarity_loss(faces, scenes, literal=True, weight=weight)
    assert torch.allclose(found, 1 - torch.as_tensor(above) / (below[0] * below[1]) ** 0.5)
    assert torch.allclose(found, similarity_loss(0.7 * faces, 0.7 * scenes, literal=True, weight=weight))


def test_a_scene_is_told_from_all_faces_and_counts_by_its_own_weight() -> None:
    random = torch.Generator().manual_seed(3)
    faces, scenes = torch.randn(3, 5, generator=random), torch.randn(3, 5, generator=random)
    weight = torch.tensor([1.0, 0.7, 0.0])
    total = 0.0
    for i in range(3):
        only = torch.eye(3)[i]
        total += float(weight[i] * scene_contrast(faces, scenes, temperature=0.1, weight=only))
    found = scene_contrast(faces, scenes, temperature=0.1, weight=weight)
    assert float(found) == pytest.approx(total, rel=1e-5)
    assert float(scene_contrast(faces, scenes, temperature=0.1, weight=torch.ones(3))) == pytest.approx(
        float(scene_contrast(faces, scenes, temperature=0.1))
    )
