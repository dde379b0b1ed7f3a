"""Recipes: functions that return a whole training config. A variant calls another and changes a field."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from mimica.data.augment import Augmentation
from mimica.data.sampling import check
from mimica.encoders.compact import CompactConfig
from mimica.encoders.identity import IdentityConfig
from mimica.encoders.mobile import MobileConfig
from mimica.errors import UsageError, unknown
from mimica.recognition import registry
from mimica.recognition.duse.config import DuseConfig
from mimica.recognition.options import Options
from mimica.recognition.ous.config import OusConfig, ous_paper
from mimica.training.generated import Mixture
from mimica.training.loop import LoopConfig
from mimica.training.units import UnitTraining

if TYPE_CHECKING:
    from mimica.data.clipset import ClipSet
    from mimica.recognition.registry import Choices

SELECTIONS = ("validation", "test", "last")
"""What decides which epoch of a run is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretraining:
    """How to pretrain an encoder: its shape, the loop, how far classes are balanced, what happens to a face.

    `smoothing`, `mixup` and `teach`, what a teacher counts where there is one, are explained at `FaceLanguage`.
    """

    encoder: CompactConfig | MobileConfig | IdentityConfig
    loop: LoopConfig
    smoothing: float = 0.1
    mixup: float = 0.5
    teach: float = 0.5
    balance: float = 0.5
    augmentation: Augmentation = field(default_factory=Augmentation)

    def facts(self) -> dict[str, Any]:
        """The recipe as a checkpoint states it."""
        return {**asdict(self), "loop": self.loop.facts()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How to train a recogniser on an encoder: the method and its choices, the loop, what happens to a clip.

    `method` is its name, one of `recognition.registry.METHODS`, and `model` its choices; `frames` how many
    frames a clip has in training and a window in reading, `longest` how many the recogniser reads at
    most; `mirrored` has it read each window and its mirror image; `per_epoch` is how many clips an epoch
    has, None for as many as the data; `balance` and `shorten` are explained at `Batches`. `sampling` is which
    frames of a clip are read, one of `data.sampling.SAMPLINGS`; all but `uniform` choose among all frames of a
    file, and read `frames` of them in test too, where `uniform` reads all of the `longest` that are kept.

    `adjust` is how far logits are adjusted in training by the logarithm of how often each class is drawn
    (`adjust.shift_of`), 0 for not at all. `select_on` is which epoch is kept, one of `SELECTIONS`: the best on what
    was held out to validate, the best on the part to test on, as much of the literature has it, or the last; the
    last too where there is nothing to validate on. `hold` is the share of `train` that is held out for
    that, where the data has a part to test on and none to validate on. `mixture` is how generated clips are learned
    from beside these, where there are any.
    """

    method: str = "duse"
    model: Choices
    encoder: str
    loop: LoopConfig
    frames: int
    longest: int = 16
    mirrored: bool = False
    per_epoch: int | None = None
    balance: float = 0.5
    shorten: float = 0.75
    sampling: str = "uniform"
    augmentation: Augmentation = field(default_factory=Augmentation)
    adjust: float = 0.0
    select_on: str = "last"
    hold: float = 0.1
    mixture: Mixture = field(default_factory=Mixture)

    def __post_init__(self) -> None:
        check(self.sampling, self.frames)
        if self.select_on not in SELECTIONS:
            raise unknown("part to select on", self.select_on, SELECTIONS)
        if not 0 <= self.balance <= 1:
            raise UsageError(f"balance is from 0, as the data is, to 1, all classes equal, not {self.balance:g}")
        if not 0 <= self.adjust < math.inf:
            raise UsageError(f"adjust is 0 or more, 1 for as much as the classes differ, not {self.adjust:g}")
        if self.per_epoch is not None and self.per_epoch < 1:
            raise UsageError(f"per_epoch is a number of clips, or none for as many as the data, not {self.per_epoch}")
        if not 0 <= self.hold <= 0.5:
            raise UsageError(f"hold is the share of train to hold out, 0 to 0.5, not {self.hold:g}")

    def facts(self) -> dict[str, Any]:
        """The recipe as a checkpoint states it; the mixture stands beside the generated clips, where there are any."""
        told = {**asdict(self), "loop": self.loop.facts()}
        del told["mixture"]
        return told

    @property
    def held(self) -> float:
        """The share of `train` to hold out: none where the literature's way of selecting is asked for."""
        return 0.0 if self.select_on == "test" else self.hold

    @property
    def kept(self) -> int | None:
        """How many evenly spread frames of a file its clip has at most; None for all."""
        return self.longest if self.sampling == "uniform" else None

    @property
    def scenes(self) -> bool:
        """Whether the method reads the scene beside each face."""
        return isinstance(self.model, OusConfig)

    @property
    def tested(self) -> int:
        """How many frames of a clip are read in test, at most where they are evenly spread."""
        return self.kept or self.frames

    def refuse_without_scenes(self, *parts: ClipSet | None) -> None:
        """Raise UsageError for clips without scenes where the method reads them."""
        for clips in parts:
            if self.scenes and clips is not None and clips.scenes is None:
                raise UsageError(
                    f"{self.method} reads the scene beside each face, and the clips of {clips.manifest.get('origin')} "
                    "have none; give them a column scene, or train a method of faces alone, such as duse"
                )


def _compact_shape(*, colour: bool = False) -> CompactConfig:
    return CompactConfig(entry=32, entry_stride=1, blocks=(1, 2, 1), mlp=2, pooled=True, colour=colour)


def compact() -> Pretraining:
    """The compact encoder on 48-pixel faces."""
    return Pretraining(
        encoder=_compact_shape(),
        loop=LoopConfig(epochs=30, batch=64, lr=1e-3, weight_decay=0.05, ema=0.999, precision="bf16"),
        mixup=0.2,
        teach=0.7,
        augmentation=Augmentation(jitter=0.1, erase=0.2, cover=0.1),
    )


def compact_colour() -> Pretraining:
    """The compact encoder reading colour, begun from one that reads greys, on pictures of faces and of scenes.

    At a low rate, for what is learned anew is simple and what it knows of faces is not to be lost. Gamma is
    gentle: how light a scene is says something.
    """
    base = compact()
    return replace(
        base, encoder=_compact_shape(colour=True), balance=0.0, mixup=0.0,
        loop=replace(base.loop, epochs=2, lr=3e-4, warmup=0.1, ema=0.98),
        augmentation=replace(base.augmentation, gamma=0.2, saturation=0.3, brightness=0.1),
    )  # fmt: skip


def teacher() -> Pretraining:
    """A MobileNetV2 that begins with ImageNet, to teach the compact encoder."""
    return Pretraining(
        encoder=MobileConfig(),
        loop=LoopConfig(epochs=12, batch=64, lr=1e-3, weight_decay=0.05, ema=0.995, precision="bf16"),
        mixup=0.2,
        augmentation=Augmentation(angle=10.0, scale=0.12, erase=0.15, cover=0.1),
    )


def teacher_identity() -> Pretraining:
    """A network that begins by telling people apart, to teach the compact encoder.

    At a lower rate than the other, for it has no norms, and for longer, since an epoch takes half as long.
    """
    base = teacher()
    return replace(base, encoder=IdentityConfig(), loop=replace(base.loop, epochs=26, lr=4e-4))


def duse_vit_b32() -> Training:
    """DuSE on CLIP's ViT-B/32, as the paper trains it (IV-A2) wherever it says how; the rest is ours.

    Sixteen frames at 224, one of each sixteenth of a clip, batches of 16, Adam at 1e-3, four prompts a layer,
    four heads, beta 0.7. Two thirds of the layers take prompts, the paper's best for this tower (table II). It
    names its augmentations and not how strong they are: here crops of 0.8 to 1 of the area and turns of 4
    degrees, light by up to a half (DFER-CLIP), mirrored or not, the same for all frames of a clip. Epochs,
    schedule and clipping of gradients it does not state.
    """
    return Training(
        model=DuseConfig(depth="deep"),
        encoder="openai/clip-vit-base-patch32",
        loop=LoopConfig(epochs=30, batch=16, lr=1e-3, precision="bf16"),
        frames=16,
        balance=0.0,
        shorten=0.0,
        sampling="segment",
        select_on="validation",
        augmentation=Augmentation(
            angle=4.0, crop=(0.8, 1.0), ratio=(3 / 4, 4 / 3), brightness=0.5,
            scale=0.0, jitter=0.0, gamma=0.0, blur=0.0, erase=0.0, motion=0.0,
        ),
    )  # fmt: skip


def duse_vit_b16() -> Training:
    """DuSE on CLIP's ViT-B/16: all as on B/32, with four times as many patches."""
    return replace(duse_vit_b32(), encoder="openai/clip-vit-base-patch16")


def duse_vit_l14() -> Training:
    """DuSE on CLIP's ViT-L/14: a third of its layers take prompts, 8 of 24, as in the paper's tables I, III and V.

    Two thirds would be 16, and the text tower has 12.
    """
    return replace(duse_vit_b32(), model=DuseConfig(), encoder="openai/clip-vit-large-patch14")


def duse_compact() -> Training:
    """DuSE on the compact encoder, on clips made of stills by small motion.

    Depth "normal" would be one of the encoder's four layers; "deep", two thirds, is what ships.
    """
    return Training(
        model=DuseConfig(depth="deep"),
        encoder="compact",
        loop=LoopConfig(epochs=6, batch=32, lr=1e-3, ema=0.99, precision="bf16"),
        frames=8,
        per_epoch=6400,
    )


def ous_vit_l14() -> Training:
    """OUS on CLIP's ViT-L/14, as the paper trains it wherever it says how; the rest is as for DuSE.

    Adam at 2e-3 in batches of 16, up to 60 epochs, a third of the rate after five epochs without a lower loss on
    what is held out, over below 1e-7, the epoch of the lowest loss kept. So high a rate may well be astray for 180
    million weights from chance: its public code takes 2e-4 (`--lr 2e-4`). Sixteen frames at 224 are ours.
    """
    return replace(
        duse_vit_b32(), method="ous-paper", model=ous_paper(), encoder="openai/clip-vit-large-patch14",
        loop=LoopConfig(epochs=60, batch=16, lr=2e-3, precision="bf16", schedule="plateau"),
    )  # fmt: skip


def ous_compact() -> Training:
    """OUS on the compact encoder, small enough to lie beside it, on clips of faces before scenes."""
    return replace(duse_compact(), method="ous", model=OusConfig(), per_epoch=None)


Recipe = TypeVar("Recipe", Pretraining, Training, UnitTraining)


def with_loop(recipe: Recipe, **changes: Any) -> Recipe:
    """The same recipe with some settings of its loop changed; those that are None stay."""
    return replace(recipe, loop=replace(recipe.loop, **{k: v for k, v in changes.items() if v is not None}))


def with_mixture(recipe: Training, **changes: float | None) -> Training:
    """The same recipe with some settings of its mixture changed; those that are None stay."""
    return replace(recipe, mixture=replace(recipe.mixture, **{k: v for k, v in changes.items() if v is not None}))


PRETRAINING: dict[str, Callable[[], Pretraining]] = {
    "compact": compact,
    "compact_colour": compact_colour,
    "teacher": teacher,
    "teacher_identity": teacher_identity,
}
TRAINING: dict[str, Callable[[], Training]] = {
    "duse_compact": duse_compact,
    "duse_vit_b32": duse_vit_b32,
    "duse_vit_b16": duse_vit_b16,
    "duse_vit_l14": duse_vit_l14,
    "ous_compact": ous_compact,
    "ous_vit_l14": ous_vit_l14,
}
_FORMER = {"duse_clip": "duse_vit_b32"}
"""Names that recipes once had, which are still understood."""

_OF_METHODS = {"ous": ous_compact, "ous-paper": ous_vit_l14, "ous-repo": ous_vit_l14}
"""Which recipe is meant where a method is named alone."""

PRESETS = ("duse", "duse-paper")
"""The presets of DuSE: what we recommend, and the paper to the letter. They are methods by these names."""


def with_method(recipe: Training, method: str | None, settings: Sequence[str]) -> Training:
    """The same recipe for another method, and with some of its options set, each as `name=value`.

    The depth stays that of the recipe, unless it is set. Raises UsageError.
    """
    model = recipe.model
    if method is not None:
        found = registry.method(method)
        if isinstance(found, DuseConfig) and isinstance(model, DuseConfig):
            found = replace(found, depth=model.depth)
        recipe, model = replace(recipe, method=method), found
    if settings and not isinstance(model, Options):
        raise UsageError(f"the method {recipe.method} has no options, got {' '.join(settings)}")
    return replace(recipe, model=model.changed(settings) if isinstance(model, Options) else model)


def recipe_of(name: str) -> Training:
    """The recipe of that name, or of the method of that name: `ous-paper` and `ous-repo` as `ous_vit_l14` has it,
    `ous` as `ous_compact`, others as `duse_vit_b32`. Raises UsageError for what is neither.
    """
    if name in registry.METHODS:
        return with_method(_OF_METHODS.get(name, duse_vit_b32)(), name, [])
    if name not in TRAINING and name not in _FORMER:
        raise unknown("recipe or method", name, [*TRAINING, *registry.METHODS])
    return training(name)


def method_of(preset: str | None, method: str | None) -> str | None:
    """The method that a preset of DuSE and the name of a method mean together.

    Raises UsageError for an unknown preset, and where the two contradict each other.
    """
    if preset is not None and preset not in PRESETS:
        raise unknown("preset of DuSE", preset, PRESETS)
    if preset and method and preset != method:
        raise UsageError(f"--preset {preset} is DuSE, and --method says {method}; give one of the two")
    return preset or method


def pretraining(name: str) -> Pretraining:
    """The pretraining recipe of that name. Raises UsageError for an unknown one."""
    if name not in PRETRAINING:
        raise unknown("pretraining recipe", name, PRETRAINING)
    return PRETRAINING[name]()


def training(name: str) -> Training:
    """The training recipe of that name; `duse_clip` is a former name of `duse_vit_b32`. Raises UsageError."""
    name = _FORMER.get(name, name)
    if name not in TRAINING:
        raise unknown("training recipe", name, TRAINING)
    return TRAINING[name]()
