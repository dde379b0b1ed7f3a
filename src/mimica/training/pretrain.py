"""Face-language pretraining: the compact encoder learns to put faces where their captions stand.

B faces, K captions, C classes, d joint dimension.

The loss is CLIP's (arXiv 2103.00020) from picture to text, with as many right captions a face as its
class has: -log of the share of exp(s cos) that falls on them. A sentence encoder that stays frozen
gives the captions' features, once. Teachers may look at the very pictures that are learned from, turned
and mixed as these are, and their shares are learned beside the label (arXiv 1503.02531, 2106.05237).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mimica.encoders.store import Vision
from mimica.training.loop import Batch


class FaceLanguage(nn.Module):
    """A vision tower and a text projection, learned together against frozen caption features [K, D]."""

    captions: Tensor
    right: Tensor

    def __init__(
        self,
        vision: Vision,
        captions: Tensor,
        classes: Sequence[int],
        *,
        smoothing: float = 0.1,
        mixup: float = 0.5,
        teach: float = 0.5,
        teachers: Sequence[FaceLanguage] = (),
    ) -> None:
        super().__init__()
        self.teachers = tuple(teachers)  # in a tuple, so that they are no part of what is trained and saved
        self.vision = vision
        self.project = nn.Linear(captions.shape[1], vision.dim, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.smoothing, self.mixup, self.teach = smoothing, mixup, teach
        self.register_buffer("captions", captions, persistent=False)
        right = F.one_hot(torch.tensor(classes), max(classes) + 1).T.float()
        self.register_buffer("right", right, persistent=False)  # [C, K]

    def copy(self, vision: Vision, project: Tensor, log_scale: float) -> None:
        """Take over the weights of a tower of the same shape, its text projection and its scale."""
        self.vision.load_state_dict(vision.state_dict())
        with torch.no_grad():
            self.project.weight.copy_(project)
            self.log_scale.fill_(log_scale)

    def log_probabilities(self, images: Tensor) -> Tensor:
        """Log of the share that falls on each class's captions [B, C], every caption weighed alike within its class."""
        seen = F.normalize(self.vision(images), dim=-1)
        said = F.normalize(self.project(self.captions), dim=-1)
        scores = self.log_scale.exp().clamp(max=100) * seen @ said.T
        # Classes have unequal numbers of captions; without this the talkative ones would win.
        balanced = scores[:, None, :] - self.right.sum(1, keepdim=True).log()
        by_class = torch.logsumexp(balanced.masked_fill(self.right == 0, -torch.inf), dim=-1)
        return by_class.log_softmax(-1)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The loss of a batch of one-frame clips and its accuracy.

        A share `mixup` of the batches is mixed in pairs (arXiv 1710.09412), by Beta(1/2, 1/2). Where there are
        teachers, what they read makes up the share `teach` of what is wanted, and the label the rest.
        """
        images = self.vision.normalise(batch["face"][:, 0])
        label = batch["label"]
        C = len(self.right)
        wanted = (1 - self.smoothing) * F.one_hot(label, C).float() + self.smoothing / C
        share = 1.0
        if self.training and len(label) > 1 and float(batch["draw"][0]) < self.mixup:
            # sin^2 of a uniform angle is Beta(1/2, 1/2). Order is random already, so neighbours make random pairs.
            share = math.sin(math.pi / 2 * float(batch["draw"][1])) ** 2
            images = share * images + (1 - share) * images.roll(1, 0)
        logp = self.log_probabilities(images)
        wanted = share * wanted + (1 - share) * wanted.roll(1, 0)
        if self.teachers:
            wanted = (1 - self.teach) * wanted + self.teach * self._taught(images)
        loss = -(wanted * logp).sum(1).mean()
        return {"loss": loss, "accuracy": (logp.argmax(-1) == label).float().mean()}

    @torch.no_grad()
    def _taught(self, images: Tensor) -> Tensor:
        """What the teachers read in pictures [B, 3, S, S] on average [B, C]."""
        read = [teacher.to(images.device).log_probabilities(images).exp() for teacher in self.teachers]
        return torch.stack(read).mean(0)
