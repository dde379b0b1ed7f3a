"""`mimica anomaly`: the defect in a part, found from a few good ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mimica.anomaly.parts.settings import Layout, PartSettings
from mimica.cli.anomaly_judge import Fit, Score
from mimica.cli.anomaly_measure import Ablate, Evaluate
from mimica.cli.progress import counted

if TYPE_CHECKING:
    from mimica.anomaly.scans.check import Checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Draw parts by formula, good ones and ones with a defect, as a colour camera and a depth sensor see them.

    They lie in a tree as MVTec 3D-AD has it, which the other commands read as mvtec3d:DIR, or as Eyecandies has it,
    eyecandies:DIR. The same command again goes on where one was stopped.
    """

    out: Path
    """Folder to write to: a folder for each category, about.json and sheet.png."""
    layout: Layout = "mvtec3d"
    """Whose tree."""
    settings: PartSettings = field(default_factory=PartSettings)

    def run(self) -> int:
        """Draw what is missing, and print where it and the sheet lie."""
        from mimica.anomaly.parts.folder import wanted, write_parts

        with counted("drawing") as progress:
            sheet = write_parts(self.out, self.settings, layout=self.layout, progress=progress)
        number = sum(1 for _ in wanted(self.settings))
        print(sheet)
        print(f"{number} drawn parts, to be read as {self.layout}:{self.out}")
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Read every scan once: how many there are of each category, split and defect, and what is wrong with any.

    Exit code 1 where anything is wrong.
    """

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """mvtec3d:PATH, eyecandies:PATH, rgbd:PATH, ply:PATH, pcd:PATH or mvtec:PATH; any folder of a tree will do."""

    def run(self) -> int:
        """Print the counts and what is wrong."""
        from mimica.anomaly.scans.check import checked
        from mimica.anomaly.scans.sources import open_samples

        source = open_samples(self.source)
        with counted("reading scans") as progress:
            found = checked(source, progress=progress)
        _print(found)
        return int(bool(found.wrong))


def _print(found: Checked) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    columns = ("category", "split", "defect", "scans", "with depth", "with mask", "pixels")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in columns[3:6] else "left")
    for row in found.counted:
        sizes = [f"{width}x{height}" for width, height in row.sizes]
        shown = ", ".join(sizes[:3]) + (f" and {len(sizes) - 3} more" if sizes[3:] else "")
        words = (row.category, row.split or "", row.defect or "", row.scans, row.with_depth, row.with_mask, shown)
        table.add_row(*(escape(str(word)) for word in words))
    Console().print(table)
    for sentence in found.wrong:
        print(f"wrong: {sentence}")
    number = len(found.wrong)
    print("nothing is wrong" if not number else f"{number} scan{'s' if number > 1 else ''} cannot be read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """Parts that are not as the few good ones are, found by colour and by shape."""

    do: (
        Annotated[Parts, tyro.conf.subcommand("parts")]
        | Annotated[Check, tyro.conf.subcommand("check")]
        | Annotated[Fit, tyro.conf.subcommand("fit")]
        | Annotated[Score, tyro.conf.subcommand("score")]
        | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
        | Annotated[Ablate, tyro.conf.subcommand("ablate")]
    )
    """What to do."""

    def run(self) -> int:
        """Do what was chosen."""
        return self.do.run()
