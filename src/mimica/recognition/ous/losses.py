"""What OUS is trained by: the polarity of the scene, the likeness of scene and face, and the contrast with the classes.

OUS (arXiv 2405.18769), eqs. 1-4. B clips, d joint dimension. Each is the mean over the clips of a batch, where the
paper prints sums: then neither they nor alpha depend on how large a batch is. With a `weight` [B] each clip counts as
much, the sum still divided by B.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mimica.recognition import weighed


def polarity_loss(logits: Tensor, polarity: Tensor, weight: Tensor | None = None) -> Tensor:
    """The cross-entropy of polarity logits [B, 3] with the polarities of the labels, 0 negative to 2 (eq. 1).

    They are [B], or [B, 3] where a clip is in part of several classes.
    """
    return weighed.cross_entropy(logits.float(), polarity, weight)


def similarity_loss(face: Tensor, scene: Tensor, *, literal: bool = False, weight: Tensor | None = None) -> Tensor:
    """One less the cosine of face and scene features [B, d] (eq. 2).

    As printed, `literal`, the sums run over the batch inside both norms, which is the cosine of the batch as one
    vector: long features count for more, and the weight is that of a clip in each sum. Else it is taken clip by clip.
    """
    face, scene = face.float(), scene.float()
    if literal:
        if weight is not None:
            face, scene, weight = weight.sqrt()[:, None] * face, weight.sqrt()[:, None] * scene, None
        face, scene = face.flatten()[None], scene.flatten()[None]
    if weight is not None:
        return weighed.mean(1 - F.cosine_similarity(face, scene, dim=-1), weight)
    return 1 - F.cosine_similarity(face, scene, dim=-1).mean()


def scene_contrast(face: Tensor, scene: Tensor, *, temperature: float, weight: Tensor | None = None) -> Tensor:
    """How hard it is to tell by a scene [B, d] which of the batch's faces [B, d] is its own (eq. 3 as printed)."""
    alike = F.normalize(scene.float(), dim=-1) @ F.normalize(face.float(), dim=-1).T
    return weighed.cross_entropy(alike / temperature, torch.arange(len(face), device=face.device), weight)
