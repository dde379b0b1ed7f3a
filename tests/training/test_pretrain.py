from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from mimica.encoders.compact import CompactConfig, CompactVision
from mimica.training.pretrain import FaceLanguage
from oracles import captions as oracle

CLASSES = [0, 0, 0, 1, 2, 2, 0, 1]


def learner(seed: int = 0, **settings: Any) -> FaceLanguage:
    torch.manual_seed(seed)
    vision = CompactVision(CompactConfig(entry=4, stem=(4, 4, 8), width=16, layers=1, heads=2, dim=8))
    made = FaceLanguage(vision, torch.randn(len(CLASSES), 12), CLASSES, **settings)
    torch.nn.init.normal_(made.vision.project.weight)
    return made


def batch(B: int = 4, draw: tuple[float, float] = (0.9, 0.5)) -> dict[str, torch.Tensor]:
    torch.manual_seed(9)
    return {
        "face": torch.rand(B, 1, 3, 48, 48), "label": torch.arange(B) % 3,
        "draw": torch.tensor([*draw, *[0.0] * B])[:B],
    }  # fmt: skip


def expected(made: FaceLanguage, images: torch.Tensor, labels: list[int], smoothing: float) -> float:
    with torch.no_grad():
        seen = made.vision(images).double().numpy()
    said = made.captions.double().numpy() @ made.project.weight.detach().double().numpy().T
    scale = min(100.0, math.exp(float(made.log_scale.detach())))
    return oracle.loss([oracle.class_shares(face, said, CLASSES, scale) for face in seen], labels, smoothing)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("log_scale", [math.log(10.0), 9.0])
def test_the_loss_is_that_of_the_oracle(seed: int, smoothing: float, log_scale: float) -> None:
    made = learner(seed, smoothing=smoothing).eval()
    with torch.no_grad():
        made.log_scale.fill_(log_scale)
    told = made(batch())
    wanted = expected(made, made.vision.normalise(batch()["face"][:, 0]), batch()["label"].tolist(), smoothing)
    assert told["loss"].item() == pytest.approx(wanted, rel=1e-3)


def test_log_probabilities_are_of_shares_over_the_classes() -> None:
    made = learner().eval()
    shares = made.log_probabilities(made.vision.normalise(batch()["face"][:, 0])).exp()
    assert shares.shape == (4, 3)
    assert torch.allclose(shares.sum(1), torch.ones(4))


def test_a_class_gains_nothing_by_having_more_captions() -> None:
    torch.manual_seed(0)
    vision = CompactVision(CompactConfig(entry=4, stem=(4, 4, 8), width=16, layers=1, heads=2, dim=8)).eval()
    one, two = torch.randn(2, 12)
    images = torch.randn(3, 3, 48, 48)
    few, many = (
        FaceLanguage(vision, torch.stack([one, two]), [0, 1]),
        FaceLanguage(vision, torch.stack([one, two, one, one]), [0, 1, 0, 0]),
    )
    many.project = few.project
    assert torch.allclose(few.log_probabilities(images), many.log_probabilities(images), atol=1e-5)


def mixing(made: FaceLanguage) -> tuple[dict[str, torch.Tensor], torch.Tensor, float]:
    """A batch that is mixed, what the learner then looks at, and the share of each first picture."""
    for part in made.modules():  # so that the oracle sees the features that the loss does
        part.eval()
    made.training = True
    data = batch(draw=(0.3, 0.25))
    share = math.sin(math.pi / 8) ** 2
    images = made.vision.normalise(data["face"][:, 0])
    return data, share * images + (1 - share) * images.roll(1, 0), share


def test_batches_are_mixed_in_pairs_with_their_labels_for_the_share_asked_for() -> None:
    made = learner(mixup=0.5, smoothing=0.1)
    data, mixed, share = mixing(made)
    labels = data["label"]
    wanted = share * expected(made, mixed, labels.tolist(), 0.1)
    wanted += (1 - share) * expected(made, mixed, labels.roll(1, 0).tolist(), 0.1)
    assert made(data)["loss"].item() == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize(("mode", "first"), [(False, 0.0), (True, 0.5), (True, 0.99)])
def test_other_batches_and_all_in_evaluation_are_not_mixed(mode: bool, first: float) -> None:
    made = learner(mixup=0.5)
    made.eval()
    made.training = mode
    plain = made(batch(draw=(0.99, 0.0)))["loss"]
    assert torch.equal(made(batch(draw=(first, 0.25)))["loss"], plain)


def test_the_share_of_a_mixture_is_beta_distributed() -> None:
    from scipy.stats import beta, kstest

    u = np.random.default_rng(0).random(2000)
    assert kstest(np.sin(np.pi / 2 * u) ** 2, beta(0.5, 0.5).cdf).pvalue > 0.01


def test_a_batch_of_one_face_can_be_learned_from() -> None:
    assert learner().train()(batch(1, draw=(0.0, 0.5)))["loss"].isfinite()


def test_everything_but_the_captions_learns() -> None:
    made = learner()
    made(batch())["loss"].backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in (made.project.weight, made.log_scale))
    assert all(p.grad is not None for p in made.vision.parameters())
    assert not made.captions.requires_grad


def test_accuracy_is_the_share_of_faces_nearest_to_their_own_captions() -> None:
    made = learner().eval()
    nearest = made.log_probabilities(made.vision.normalise(batch()["face"][:, 0])).argmax(1)
    told = made(batch() | {"label": torch.cat([nearest[:3], (nearest[3:] + 1) % 3])})
    assert told["accuracy"].item() == 0.75


def teacher(seed: int) -> FaceLanguage:
    """One whose reading depends on the face."""
    made = learner(seed)
    for weight in made.vision.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return made.eval()


def cross_entropy(made: FaceLanguage, images: torch.Tensor, wanted: torch.Tensor) -> float:
    """Of shares wanted [B, C], by the oracle, face by face."""
    each = [[expected(made, images[i : i + 1], [c], 0.0) for c in range(3)] for i in range(len(images))]
    return float((wanted * torch.tensor(each)).sum(1).mean())


@pytest.mark.parametrize("teach", [0.0, 0.3, 1.0])
def test_what_teachers_read_makes_up_its_share_of_what_is_wanted(teach: float) -> None:
    teachers = [teacher(5), teacher(6)]
    made = learner(smoothing=0.0, teach=teach, teachers=teachers).eval()
    images = made.vision.normalise(batch()["face"][:, 0])
    read = torch.stack([one.log_probabilities(images).exp() for one in teachers]).mean(0).detach()
    assert read.std(0).max() > 1e-3  # else it would not matter which face is read
    told = torch.nn.functional.one_hot(batch()["label"], 3)
    wanted = (1 - teach) * told + teach * read
    assert made(batch())["loss"].item() == pytest.approx(cross_entropy(made, images, wanted), rel=1e-3)


def test_teachers_look_at_the_mixed_picture_that_is_learned_from() -> None:
    shows = teacher(5)
    made = learner(mixup=0.5, smoothing=0.0, teach=1.0, teachers=[shows])
    data, mixed, _ = mixing(made)
    read = shows.log_probabilities(mixed).exp().detach()
    assert made(data)["loss"].item() == pytest.approx(cross_entropy(made, mixed, read), rel=1e-3)


def test_teachers_do_not_learn_and_are_no_part_of_the_learner() -> None:
    shows = teacher(5)
    before = {name: value.clone() for name, value in shows.state_dict().items()}
    made = learner(teach=1.0, teachers=[shows]).train()
    made(batch())["loss"].backward()
    assert not any("teacher" in name for name in made.state_dict())
    assert all(torch.equal(value, before[name]) for name, value in shows.state_dict().items())
    assert all(weight.grad is None for weight in shows.parameters())
