"""`mimica cache`: what a frozen encoder sees of clips, computed once for all trainings on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mimica.cli.loop import refuse_unwritable
from mimica.errors import UsageError

if TYPE_CHECKING:
    from mimica.training.cache import Size
    from mimica.training.recipes import Training


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """Keep what the frozen encoder sees of every clip, so that training on it reads no frame again.

    The size is told before the work begins. The same command again does only what is missing; mimica train --cache
    learns from it, whichever fold or part it takes.
    """

    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """folder:PATH, table:FILE, dfew:PATH, ferv39k:PATH, mafw:PATH or list:FILE, with a scene beside each face. All
    parts and folds are taken."""
    out: Path
    """Folder for cache.json and the shards."""
    model: str = "ous-paper"
    """What is to be trained: a recipe, ous_vit_l14 or ous_compact, or a method, ous, ous-paper or ous-repo."""
    encoder: str | None = None
    """A shipped encoder, the path that pretraining wrote, or a CLIP; else the recipe's own."""
    options: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE ...")] = ()
    """Choices of the method; polarity, polarity_tokens and scene_mask_face change what is kept."""
    sampling: str | None = None
    """Which frames of a clip are read: segment, tsn8x2, stride or stride:N, uniform, last; else the recipe's own."""
    views: int = 0
    """How many augmented views of each clip, by the recipe's augmentation; an epoch takes one. Without, training sees
    each clip as it is in test."""
    seed: int | None = None
    """What the views depend on beside their number and the clip."""
    precision: str = "fp16"
    """How features are kept: fp16, or fp32 in twice the room."""
    device: str = "cpu"
    """Where the encoder runs: cpu, cuda, cuda:1, mps."""
    predict: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print how large it would be, for DFEW and FERV39k too, and do nothing."""

    def run(self) -> int:
        """Tell the size, encode what is missing, and print where the cache lies."""
        from mimica.cli.progress import counted
        from mimica.data.clipset import load_whole, space_of
        from mimica.encoders.cache import PRECISIONS
        from mimica.encoders.named import open_encoder
        from mimica.errors import unknown
        from mimica.recognition.registry import check_device
        from mimica.training.cache import fill, network_of, size_of

        if self.views < 0:
            raise UsageError(f"--views is a number of augmented views, or 0 for none, not {self.views}")
        if self.precision not in PRECISIONS:
            raise unknown("precision of features", self.precision, PRECISIONS)
        recipe = self._recipe()
        refuse_unwritable(self.out)
        check_device(self.device)
        space = space_of(self.data)
        encoder = open_encoder(recipe.encoder)
        clips = load_whole(self.data, size=encoder.vision.size, frames=recipe.kept, space=space, scenes=True)
        network = network_of(recipe, encoder, clips)
        _tell(size_of(recipe, network, precision=self.precision, views=self.views), len(clips))
        if self.predict:
            return 0
        with counted("encoding") as progress:
            fill(
                self.out, recipe, encoder, clips, precision=self.precision, views=self.views, device=self.device,
                progress=progress,
            )  # fmt: skip
        print(self.out)
        return 0

    def _recipe(self) -> Training:
        from mimica.training.recipes import recipe_of, with_loop, with_method

        recipe = with_loop(recipe_of(self.model), seed=self.seed)
        recipe = replace(recipe, encoder=self.encoder or recipe.encoder, sampling=self.sampling or recipe.sampling)
        return with_method(recipe, None, self.options)


def _tell(size: Size, clips: int) -> None:
    """How large a cache is at most: of these clips, and of data sets that are not at hand."""
    from rich.console import Console
    from rich.table import Table

    from mimica.training.cache import PUBLISHED_CLIPS

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("cache of", "clips", "bytes a clip", "in all"):
        table.add_column(column, justify="left" if column == "cache of" else "right")
    for name, number in {"this data": clips, **PUBLISHED_CLIPS}.items():
        table.add_row(name, f"{number:,}", f"{size.clip:,}", _large(number * size.clip))
    Console().print(table, highlight=False)
    said = f"{size.views} augmented views" if size.views else "no augmented view"
    print(f"at most, for clips of as many frames as are read: {size.plain:,} bytes as in test, {said}", end="")
    print(f" of {size.view:,} each" if size.views else "")


def _large(number: int) -> str:
    """A number of bytes in words, thousands to the step."""
    for unit, step in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= step:
            return f"{number / step:,.1f} {unit}"
    return f"{number} bytes"
