"""MTCNN: find faces and five landmarks with a cascade of three small networks.

K. Zhang et al., 2016, arXiv 1604.02878. P-Net looks at every window of a pyramid of the picture,
R-Net refuses most of what it proposes, O-Net corrects the rest and finds the landmarks.

Axes: B pictures of one size, H x W pixels each; N candidates of all pictures together; S side of
a crop. A candidate is its picture's index, its box [4] and its score.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from mimica.clips import Face
from mimica.errors import InputError, UsageError
from mimica.faces.boxes import keep_best
from mimica.faces.crop import cut, square
from mimica.faces.mtcnn_weights import cascade, normalised

_WINDOW, _STRIDE = 12, 2
_PYRAMID = 0.709


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Scores below which P-Net, R-Net and O-Net drop a candidate, and how many each picture may have.

    `refine` is O-Net's on a face that is already known: lower, since to lose it costs more.
    """

    pnet: float = 0.6
    rnet: float = 0.7
    onet: float = 0.7
    refine: float = 0.5
    candidates: int = 200


def smallest(height: int, width: int) -> float:
    """The smallest face, its side in pixels, that is looked for in a picture where nobody says which.

    A fifteenth of the picture's shorter side and at least 20: what can be read in a picture of that size, at
    a cost that does not grow with it.
    """
    return max(20.0, min(height, width) / 15)


class Mtcnn:
    """Finds faces of `min_face` pixels and more, from the asset `mtcnn`.

    Where `min_face` is None it is what `smallest` says. Pyramid and crops are made on
    the CPU, the networks run on `device`.
    """

    def __init__(
        self, *, min_face: float | None = None, device: str = "cpu", thresholds: Thresholds | None = None
    ) -> None:
        if min_face is not None and not min_face >= _WINDOW:
            raise UsageError(f"the smallest face that can be looked for is {_WINDOW} pixels, got min_face={min_face}")
        self._min_face = min_face
        self._thresholds = thresholds or Thresholds()
        nets = cascade()
        try:
            self._device = torch.device(device)
            self._nets = nets.to(self._device)
        except (RuntimeError, AssertionError) as error:
            said = str(error).splitlines()[0]
            raise UsageError(f"cannot find faces on the device '{device}' ({said}); 'cpu' always works") from None

    @torch.inference_mode()
    def detect(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """The faces of each picture, best score first; see `Detector`."""
        if not images:
            return []
        _check(images)
        which, boxes = self._propose(images)
        which, boxes = self._filter(images, which, boxes)
        faces, which = self._settle(images, which, boxes, self._thresholds.onet)
        found: list[list[Face]] = [[] for _ in images]
        for face, i in zip(faces, which, strict=True):
            if face is not None:
                found[i].append(face)
        return [_apart(each) for each in found]

    @torch.inference_mode()
    def refine(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray]) -> list[list[Face | None]]:
        """The faces near known boxes by O-Net alone, in their order; see `Refiner`."""
        if images:
            _check(images)
        counts = [len(each) for each in boxes]
        which = np.repeat(np.arange(len(counts)), counts)
        together = np.concatenate([np.reshape(each, (-1, 4)) for each in boxes]) if counts else np.empty((0, 4))
        faces, _ = self._settle(images, which, square(together), self._thresholds.refine)
        ends = np.cumsum(counts)
        return [faces[end - count : end] for end, count in zip(ends, counts, strict=True)]

    def _propose(self, images: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """P-Net on every level of the pyramid: picture indices [N] and square boxes [N, 4]."""
        pictures = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
        side = self._min_face or smallest(*pictures.shape[2:])
        levels = [self._level(pictures, rows, columns) for rows, columns in _sizes(pictures, side)]
        kept_which, kept_boxes = [], []
        for i in range(len(images)):
            boxes, scores = (np.concatenate(p) for p in zip(*_each(levels, i), strict=True)) if levels else _NOTHING
            keep = keep_best(boxes, scores, 0.7)[: self._thresholds.candidates]
            kept_which.append(np.full(len(keep), i))
            kept_boxes.append(boxes[keep])
        return np.concatenate(kept_which), square(np.concatenate(kept_boxes))

    def _level(self, pictures: torch.Tensor, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What P-Net proposes at one size of the pictures: indices [N], boxes [N, 4], scores [N]."""
        H, W = pictures.shape[2:]
        small = F.interpolate(pictures, (rows, columns), mode="bilinear", antialias=True)
        correction, probability = self._nets.pnet(normalised(small.to(self._device)))
        which, row, column = torch.where(probability > self._thresholds.pnet)
        corner = torch.stack([column, row], dim=1).float() * _STRIDE
        boxes = torch.cat([corner, corner + _WINDOW], dim=1) + correction[which, :, row, column] * _WINDOW
        scale = np.array([W / columns, H / rows] * 2)
        score = probability[which, row, column]
        return which.numpy(force=True), boxes.numpy(force=True) * scale, score.numpy(force=True)

    def _filter(
        self, images: Sequence[np.ndarray], which: np.ndarray, boxes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """R-Net on every candidate: those that it lets pass."""
        if not len(boxes):
            return which, boxes
        correction, probability = (t.numpy(force=True) for t in self._nets.rnet(self._crops(images, which, boxes, 24)))
        boxes = boxes + correction * (boxes[:, 2:3] - boxes[:, :1])
        kept = []
        for i in range(len(images)):
            (mine,) = np.nonzero((which == i) & (probability > self._thresholds.rnet))
            kept.append(mine[keep_best(boxes[mine], probability[mine], 0.7)])
        keep = np.concatenate(kept)
        return which[keep], square(boxes[keep])

    def _settle(
        self, images: Sequence[np.ndarray], which: np.ndarray, boxes: np.ndarray, threshold: float
    ) -> tuple[list[Face | None], np.ndarray]:
        """O-Net on every square box: a face each, or None."""
        if not len(boxes):
            return [], which
        made = self._nets.onet(self._crops(images, which, boxes, 48))
        correction, points, probability = (t.numpy(force=True) for t in made)
        side = boxes[:, 2:3] - boxes[:, :1]
        landmarks = boxes[:, None, :2] + points * side[:, None]
        boxes = boxes + correction * side
        return [
            Face(box=box, score=float(score), landmarks=marks) if score > threshold else None
            for box, score, marks in zip(boxes, probability, landmarks, strict=True)
        ], which

    def _crops(self, images: Sequence[np.ndarray], which: np.ndarray, boxes: np.ndarray, side: int) -> torch.Tensor:
        crops = np.stack([cut(images[i], box, side) for i, box in zip(which, boxes, strict=True)])
        return normalised(torch.from_numpy(crops).permute(0, 3, 1, 2).to(self._device))


_NOTHING = (np.empty((0, 4)), np.empty(0))


def _check(images: Sequence[np.ndarray]) -> None:
    shapes = {image.shape for image in images}
    (first, *others) = shapes
    if others or len(first) != 3 or first[2] != 3 or any(image.dtype != np.uint8 for image in images):
        kinds = sorted({f"{image.dtype} {list(image.shape)}" for image in images})
        raise InputError(f"pictures must be uint8 [H, W, 3] and of one size within a call, got {', '.join(kinds)}")


def _sizes(pictures: torch.Tensor, min_face: float) -> Iterator[tuple[int, int]]:
    """The rows and columns of each level of the pyramid, largest first."""
    H, W = pictures.shape[2:]
    scale = _WINDOW / min_face
    while min(H, W) * scale >= _WINDOW:
        yield round(H * scale), round(W * scale)
        scale *= _PYRAMID


def _each(
    levels: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], i: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The boxes and scores of picture `i`, level by level, the near doubles taken out."""
    for which, boxes, scores in levels:
        (mine,) = np.nonzero(which == i)
        mine = mine[np.argsort(-scores[mine], kind="stable")[:400]]
        keep = mine[keep_best(boxes[mine], scores[mine], 0.5)]
        yield boxes[keep], scores[keep]


def _apart(faces: list[Face]) -> list[Face]:
    if not faces:
        return []
    boxes, scores = np.stack([face.box for face in faces]), np.array([face.score for face in faces])
    return [faces[i] for i in keep_best(boxes, scores, 0.7, "min")]
