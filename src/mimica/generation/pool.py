"""What the augmentation loop draws on: real clips to learn from with their unit curves, and others to validate with.

N clips to learn from, M to validate with, T frames of a clip, A units, C classes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mimica.data.clipset import HELD, ClipSet, items, load, load_held, parse
from mimica.data.table import a_fold
from mimica.errors import InputError, UsageError
from mimica.generation.alignment import Alignment, align
from mimica.generation.knowledge import KnowledgeBase, build, hidden
from mimica.generation.measured import MeasuredClips, measured_clips
from mimica.generation.plan import Plan
from mimica.generation.provenance import HeldBack
from mimica.generation.targets import Targets

AT_REST = 0.1
"""A frame whose units are all weaker than this shows a face at rest, from which a clip can begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """A frame uint8 [S, S, 3] of clip `place` in which a face is at rest, and who it is."""

    place: int
    image: np.ndarray
    person: str

    @property
    def sha256(self) -> str:
        """The digest of its pixels."""
        return digest(self.image)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Real clips: `train` with `curves` N of [T, A], NaN where a unit was not measured, and `people`; and `held`.

    `known` is what is known of classes in units, `base` the cards that prompts are written from, `barred` what no
    generated clip may come from: everyone and every picture that is measured on.
    """

    spec: str
    train: ClipSet
    held: ClipSet
    curves: tuple[np.ndarray, ...]
    people: tuple[str, ...]
    known: Alignment
    base: KnowledgeBase
    barred: HeldBack

    @property
    def counts(self) -> list[int]:
        """How many clips to learn from each class has [C]."""
        return list(self.train.counts().values())

    def named(self, place: int) -> str:
        """A clip to learn from as its table names it."""
        name = Path(self.train.names[place])
        folder = parse(self.spec)[1].parent
        return str(name.relative_to(folder)) if name.is_relative_to(folder) else str(name)

    def still(self, label: str, number: int, seed: int) -> Still:
        """The still that clip `number` of a class begins with: of a clip of another class where there is one.

        So a class of few people is shown by many. It depends on class, number and seed alone. Raises InputError where
        no face is at rest.
        """
        c = self.train.space.index(label)
        resting = [i for i in range(len(self.train)) if self._rest(i) is not None]
        others = [i for i in resting if self.train.labels[i] != c] or resting
        if not others:
            raise InputError(
                f"no clip of {self.spec} has a face at rest that a clip could begin with, all units below {AT_REST:g}"
            )
        place = int(np.random.default_rng([seed, number, *label.encode()]).choice(others))
        frame = self._rest(place)
        assert frame is not None
        return Still(place=place, image=np.asarray(self.train.frames[place][frame]), person=self.people[place])

    def _rest(self, i: int) -> int | None:
        """The frame of clip i in which its face is at rest, if it is in any and the person is not measured on."""
        if hidden(self.people[i]) in self.barred.people:
            return None
        strongest = np.nan_to_num(self.curves[i]).max(1)
        frame = int(strongest.argmin())
        shown = len(self.train.frames[i])
        return min(frame * shown // len(strongest), shown - 1) if strongest[frame] < AT_REST else None

    def targets(self, frames: int, most: int = 96) -> tuple[Tensor, Targets]:
        """Real clips [n, T, 3, S, S] in 0 to 1 with their own curves as plans: what rewards are calibrated on.

        Evenly spread over the clips to learn from, of `frames` frames each.
        """
        places = np.unique(np.linspace(0, len(self.train) - 1, min(most, len(self.train))).round().astype(int))
        clips = torch.stack([tensor_of(resampled(self.train.frames[i], frames)) for i in places])
        curves = torch.stack([torch.from_numpy(resampled(np.nan_to_num(self.curves[i]), frames)) for i in places])
        return clips, Targets(
            images=clips[:, 0], curves=curves.float(), labels=torch.from_numpy(self.train.labels[places]).long(),
            people=tuple(self.people[i] for i in places),
        )  # fmt: skip


def read_pool(spec: str, *, size: int, hold: float = 0.15) -> Pool:
    """The pool of `table:FILE` with unit curves, pictures `size` pixels square.

    `hold` is the share of people held out to validate with where the data has a part to test on and none for this.
    Raises UsageError for data without unit curves or with nothing to validate with, InputError for what cannot be read.
    """
    kind, path = parse(spec)
    if kind == "table" and a_fold(path) is not None:
        raise UsageError(
            f"{path} is parted by folds, and clips are made for a part; write what this fold takes each clip for into "
            "a column part: train, validation or test"
        )
    measured = measured_clips(spec)
    train = load(spec, part="train", size=size, frames=None, hold=hold)
    held = load_held(spec, size=size, frames=None, hold=hold)
    if held is None:
        raise UsageError(
            f"{spec} has nothing to validate with, by which is decided what to make; give some of its clips the part "
            "validation, or others the part test"
        )
    learned = _those_of(measured, train, path.parent)
    if train.groups and all(train.groups):
        learned = replace(learned, subjects=tuple(train.groups))
    if len(set(train.labels.tolist())) < 2:
        raise UsageError(f"{spec} has clips of one class alone to learn from, so that nothing can be told from it")
    known = align(learned.curves, learned.labels, learned.space, order=learned.order)
    kept_out = barred(measured_on(spec, held, size))
    told = [i for i, person in enumerate(learned.subjects) if hidden(person) not in kept_out.people]
    return Pool(
        spec=spec, train=train, held=held, curves=learned.curves, people=learned.subjects, known=known,
        base=build(known, _at(learned, told)), barred=kept_out,
    )  # fmt: skip


def _those_of(measured: MeasuredClips, train: ClipSet, folder: Path) -> MeasuredClips:
    """What was measured of the clips that are learned from, in their order."""
    place = {str(folder / name): i for i, name in enumerate(measured.names)}
    return _at(measured, [place[name] for name in train.names])


def _at(clips: MeasuredClips, places: Sequence[int]) -> MeasuredClips:
    return replace(
        clips, names=tuple(clips.names[i] for i in places), labels=clips.labels[list(places)],
        curves=tuple(clips.curves[i] for i in places), subjects=tuple(clips.subjects[i] for i in places),
    )  # fmt: skip


def measured_on(spec: str, held: ClipSet, size: int) -> list[ClipSet]:
    """The clips that are measured on: those to validate with, and every further part that is not learned from."""
    there = {item.part for item in items(spec)}
    used = next((part for part in HELD if part in there), None)  # None where `held` was taken out of `train`
    further = [part for part in (*HELD, "test") if part in there and part != used]
    return [held, *(load(spec, part=part, size=size, frames=None) for part in further)]


def barred(parts: Sequence[ClipSet]) -> HeldBack:
    """Who and what no generated clip may come from: everyone and every picture of these clips."""
    return HeldBack(
        people=frozenset(hidden(group) for clips in parts for group in clips.groups or () if group),
        digests=frozenset(digest(frame) for clips in parts for clip in clips.frames for frame in np.asarray(clip[:])),
    )


def digest(image: np.ndarray) -> str:
    """The sha256 of a picture's pixels and shape."""
    return hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).hexdigest()


def resampled(clip: np.ndarray, frames: int) -> np.ndarray:
    """So many frames of a clip [T, …], evenly spread from its first to its last."""
    return np.asarray(clip[np.linspace(0, len(clip) - 1, frames).round().astype(int)])


def targets_from(
    pool: Pool, plans: Sequence[Plan], stills: Sequence[Still], prompts: Sequence[str] | None = None
) -> Targets:
    """What clips are to show that begin with these stills and go by these plans, one of each for a clip."""
    return Targets(
        images=torch.stack([tensor_of(one.image[None])[0] for one in stills]),
        curves=torch.from_numpy(np.stack([one.curves() for one in plans])).float(),
        labels=torch.tensor([pool.train.space.index(one.label) for one in plans]),
        people=tuple(one.person for one in stills), prompts=None if prompts is None else tuple(prompts),
    )  # fmt: skip


def frames_of(clips: Tensor) -> np.ndarray:
    """Pictures [..., 3, S, S] in 0 to 1 as uint8 [..., S, S, 3]."""
    return np.asarray((clips * 255).round().to(torch.uint8).movedim(-3, -1).cpu().numpy())


def tensor_of(frames: np.ndarray) -> Tensor:
    """Frames uint8 [T, S, S, G] as [T, 3, S, S] in 0 to 1."""
    pictures = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 255
    return pictures.expand(-1, 3, -1, -1)
