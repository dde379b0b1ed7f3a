"""`mimica train`: train a recogniser on a pretrained encoder."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from mimica.cli.loop import Loop, refuse_unwritable
from mimica.errors import UsageError, unknown

if TYPE_CHECKING:
    from mimica.data.clipset import ClipSet
    from mimica.data.generated import Generated
    from mimica.labels import LabelSpace
    from mimica.training.recipes import Training


_OF_RECOGNISERS = (
    "fold", "preset", "method", "options", "sampling", "select_on", "hold", "balance", "adjust", "per_epoch", "cache",
)  # fmt: skip
"""Flags that say nothing to a recipe of units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Train:
    """Train a recogniser on labelled clips of cropped faces, or on stills that are set in motion."""

    recipe: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RECIPE")]
    """duse_vit_b32, duse_vit_b16 or duse_vit_l14 on a CLIP, with the paper's settings; or duse_compact, which ships.
    Of the scene beside the face: ous_vit_l14, ous_compact. Of Action Units: units_compact, with --data actor."""
    data: str
    """fer2013:PATH, folder:PATH, table:FILE, dfew:PATH, ferv39k:PATH, mafw:PATH or list:FILE, of cropped faces; for
    units_compact actor, or actor:formula or actor:ict alone."""
    out: Path
    """Folder for the recogniser, the log and the state to resume from."""
    fold: int | None = None
    """Which fold of data that has folds, from 1."""
    encoder: str | None = None
    """A shipped encoder, the path that pretraining wrote, or a CLIP: its folder, file or name on the hub."""
    preset: str | None = None
    """duse, what we recommend, or duse-paper, the paper to the letter."""
    method: str | None = None
    """Another method: duse, duse-paper, ous, ous-paper, ous-repo, or a baseline: coop, zero-shot, linear-probe,
    dfer-clip-head."""
    options: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE ...")] = ()
    """Choices of the method, such as beta=0.5 coupling=linear; `mimica models show` with its name lists
    them."""
    sampling: str | None = None
    """Which frames of a clip are read: segment, tsn8x2, stride or stride:N, uniform, last; else the recipe's own."""
    select_on: str | None = None
    """Which epoch is kept: the best on a validation part held out of train, the best on test (as much of the literature
    has it; the results say so), or the last. The recipe's own where not given."""
    hold: float | None = None
    """The share of train to hold out, in data that has a part to test on and none to validate on; 0 for none."""
    balance: float | None = None
    """How far classes are drawn equally often: 0, as the data is, to 1, all alike."""
    adjust: float | None = None
    """How far the loss makes up for the scarcity of classes (logit adjustment): 0 not at all, 1 wholly."""
    generated: str | None = None
    """table:FILE of generated clips to learn from beside those of --data; nothing is ever measured on them."""
    generated_share: float | None = None
    """The most of a batch that generated clips are, 0 to 0.5; 0.5 where not given."""
    generated_weight: float | None = None
    """How much a generated clip counts in the loss where a real one counts 1; 0.7 where not given."""
    real_last: float | None = None
    """The share of all steps, at the end, that learn from real clips alone; 0.2 where not given."""
    per_epoch: int | None = None
    """How many clips an epoch has, drawn anew in each; 0 for as many as the data. duse_compact's own is 6400."""
    cache: Path | None = None
    """A folder that mimica cache has filled: methods of OUS learn from its features in the place of frames."""
    resume: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Go on from where the run in --out was last saved; without, it begins anew."""
    loop: Loop = field(default_factory=Loop)

    def run(self) -> int:
        """Train, calibrate where there is a part for it, and print where the recogniser lies."""
        from mimica.training.processes import one_voice

        with one_voice():
            return self._units() if self.recipe.startswith("units_") else self._run()

    def _run(self) -> int:
        from mimica.cli.progress import Epochs
        from mimica.data.clipset import space_of
        from mimica.encoders.named import open_encoder
        from mimica.training.processes import processes
        from mimica.training.results import kept
        from mimica.training.runs import train_recogniser

        # What was typed is looked at before an encoder of gigabytes is.
        recipe = self._recipe()
        refuse_unwritable(self.out)
        space = space_of(self.data)
        all_of_us = processes()
        with all_of_us.together():
            encoder = open_encoder(recipe.encoder)
            clips, held, test = self._parts(recipe, encoder.vision.size, space)
            generated = self._generated(recipe, encoder.vision.size, clips)
        with Epochs(recipe.loop.epochs, quiet=not all_of_us.main) as report:
            path = train_recogniser(
                recipe, encoder, clips, out=self.out, held=held, test=test, generated=generated, cache=self.cache,
                resume=self.resume, report=report,
            )  # fmt: skip
        if all_of_us.main:
            print(*kept(path), path, sep="\n")
        return 0

    def _units(self) -> int:
        """Train a detector of units, which learns from faces that are drawn for it."""
        from mimica.cli.progress import Epochs, counted
        from mimica.training.recipes import with_loop
        from mimica.training.units import RECIPES, drawn_as, train_units

        if self.recipe not in RECIPES:
            raise unknown("training recipe", self.recipe, RECIPES)
        given = [name for name in _OF_RECOGNISERS if getattr(self, name) not in (None, ())]
        if given:
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
            raise UsageError(f"{self.recipe} learns units, and {flags} is for recognisers; leave it out")
        recipe = with_loop(replace(RECIPES[self.recipe](), **drawn_as(self.data)), **self.loop.changes())
        recipe = recipe if self.encoder is None else replace(recipe, encoder=self.encoder)
        refuse_unwritable(self.out)
        with counted("faces drawn") as progress, Epochs(recipe.loop.epochs) as report:
            path = train_units(recipe, out=self.out, resume=self.resume, report=report, progress=progress)
        print(path)
        return 0

    def _recipe(self) -> Training:
        from mimica.training.recipes import method_of, training, with_loop, with_method, with_mixture

        recipe = with_loop(training(self.recipe), **self.loop.changes())
        given = {
            name: getattr(self, name) for name in ("encoder", "sampling", "select_on", "hold", "balance", "adjust")
        }
        recipe = replace(recipe, **{name: value for name, value in given.items() if value is not None})
        mixture = {
            "share": self.generated_share, "weight": self.generated_weight, "real_last": self.real_last,
        }  # fmt: skip
        recipe = with_mixture(recipe, **mixture)
        if self.per_epoch is not None:
            recipe = replace(recipe, per_epoch=self.per_epoch or None)
        return with_method(recipe, method_of(self.preset, self.method), self.options)

    def _parts(self, recipe: Training, size: int, space: LabelSpace) -> tuple[ClipSet, ClipSet | None, ClipSet | None]:
        """What to learn from, what is held out, and what is tested on where that is selected on."""
        from mimica.data.clipset import load, load_held

        def opened(part: str) -> ClipSet:
            return load(self.data, part=part, **how)

        how: dict[str, Any] = {
            "size": size, "frames": recipe.kept, "space": space, "fold": self.fold, "hold": recipe.held,
            "scenes": recipe.scenes, "stored": None if self.cache is None else True,
        }  # fmt: skip
        held = load_held(self.data, **how)
        if held is None and self.select_on == "validation":
            raise UsageError(
                f"{self.data} has nothing to validate on; give clips the part validation, or leave out --select-on"
            )
        return opened("train"), held, opened("test") if recipe.select_on == "test" else None

    def _generated(self, recipe: Training, size: int, clips: ClipSet) -> Generated | None:
        from mimica.data.generated import load_generated
        from mimica.errors import UsageError

        if self.generated is None:
            if (self.generated_share, self.generated_weight, self.real_last) != (None, None, None):
                raise UsageError("how generated clips are learned from says nothing without them; name a --generated")
            return None
        return load_generated(
            self.generated, clips, data=self.data, fold=self.fold, hold=recipe.held, size=size, frames=recipe.kept,
            scenes=recipe.scenes, stored=None if self.cache is None else True,
        )  # fmt: skip
