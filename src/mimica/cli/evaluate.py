"""`mimica evaluate`: how right a recogniser is on labelled files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from mimica.cli.figures import print_scores, print_unread, write_figures
from mimica.cli.progress import counted_by_name
from mimica.reading.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from mimica.data.clipset import Item
    from mimica.experiments.evaluate import Report
    from mimica.reading.evaluate import Evaluation
    from mimica.reading.reader import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluate:
    """Measure a recogniser on labelled files: WAR, UAR, recall by class, confusion, calibration."""

    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """folder:PATH with a folder a class, table:FILE with the columns path and label, dfew:PATH, mafw:PATH …"""
    model: str = "duse-compact"
    """A recogniser by name (mimica models list) or the path that training wrote."""
    fold: int | None = None
    """Which fold of data that has folds, from 1."""
    part: str | None = None
    """Only this part; where not given, test of a published data set and of a fold, and all of other data."""
    settings: Settings = field(default_factory=Settings)
    degrade: tuple[str, ...] = ()
    """Measure again after what photos suffer: blur, dark, covered, jitter, turned, soft, small. With --faces none."""
    seed: int = 0
    """What the degradations that are drawn at random depend on."""
    json: Path | None = None
    """Write the figures to this file; fractions, not percent."""
    picture: Path | None = None
    """Draw the reliability diagram and the risk by coverage to this file: .png, .svg or .pdf."""
    keep: bool = False
    """Keep the figures in the model's own .json as what it reaches on data held out; its pages then show them."""
    protocol: Literal["5fold", "split"] | None = None
    """Measure a published data set as papers do, every test clip once: 5fold with a model for each fold, its number
    as {fold} in --model, or split, the one that is published. Clips are read as they are given, cropped to a face."""
    out: Path | None = None
    """Folder for the report of a protocol; what was read before is not read again."""
    views: int = 1
    """How many choices of a clip's frames a protocol reads; their logits are averaged."""

    def run(self) -> int:
        """Print the figures; 1 if some files could not be read."""
        return self._by_protocol() if self.protocol else self._by_reading()

    def _by_protocol(self) -> int:
        from rich.console import Console

        from mimica.experiments.evaluate import evaluate_protocol

        out = self._of_protocol()
        with counted_by_name(transient=True) as bar:
            report = evaluate_protocol(
                self.data, protocol=str(self.protocol), model=self.model, out=out, views=self.views,
                device=self.settings.device,
                progress=lambda name, done, of: bar(f"fold {name}" if name.isdecimal() else name, done, of),
            )  # fmt: skip
        _print_folds(report, Console())
        print(out / "report.html")
        return int(bool(report.found.unread))

    def _of_protocol(self) -> Path:
        """Where the report goes. Raises UsageError for flags that a protocol leaves no room for."""
        from mimica.errors import UsageError

        given = {
            "--fold": self.fold is not None, "--part": self.part is not None, "--degrade": bool(self.degrade),
            "--json": self.json is not None, "--picture": self.picture is not None, "--keep": self.keep,
        }  # fmt: skip
        if found := [flag for flag, there in given.items() if there]:
            raise UsageError(f"a protocol says itself what is measured, and reports all; leave out {', '.join(found)}")
        if replace(self.settings, device="cpu", faces="none") != replace(Settings(), faces="none"):
            raise UsageError(
                "a protocol reads clips as the model samples them; of how videos are read, only --device counts"
            )
        if self.out is None:
            raise UsageError("a protocol has a report; say with --out in which folder it is to lie")
        return self.out

    def _by_reading(self) -> int:
        from rich.console import Console

        from mimica.data.clipset import measured
        from mimica.reading.evaluate import with_scenes
        from mimica.reading.reader import Reader
        from mimica.recognition.registry import load

        self._refuse()
        recogniser = load(self.model, device=self.settings.device)
        found = measured(self.data, space=recogniser.space, fold=self.fold, part=self.part)
        reader = Reader(recogniser, self.settings, scenes=with_scenes(recogniser, found))
        console = Console()
        result = self._evaluated(reader, found, None, console)
        _print(result, console)
        after = {name: self._evaluated(reader, found, name, console) for name in self.degrade}
        if after:
            _print_after(result, after, console)
        self._written(result, after, reader)
        return int(bool(result.unread))

    def _refuse(self) -> None:
        """Raise UsageError for what cannot be done, before anything is read."""
        from mimica.data.degrade import DEGRADATIONS
        from mimica.errors import UsageError, unknown
        from mimica.look.picture import check

        if self.out is not None or self.views != 1:
            raise UsageError("--out and --views are of a protocol; add --protocol 5fold or --protocol split")
        for name in self.degrade:
            if name not in DEGRADATIONS:
                raise unknown("degradation", name, DEGRADATIONS)
        if self.degrade and self.settings.faces != "none":
            raise UsageError("degradations are of pictures that are a face already; add --faces none")
        if self.picture:
            check(self.picture)

    def _written(self, result: Evaluation, after: Mapping[str, Evaluation], reader: Reader) -> None:
        """Put the figures wherever they are asked for."""
        from mimica.checkpoint import restate
        from mimica.data.degrade import DEGRADATIONS
        from mimica.reading.evaluate import held_out
        from mimica.reading.trust_picture import draw_trust
        from mimica.recognition.registry import locate

        data = Path(self.data.partition(":")[2]).name
        if self.json:
            read = {"data": self.data, "fold": self.fold, "parts": sorted({file.item.part for file in result.files})}
            facts = {**result.facts(), **read, "model": self.model, "settings": asdict(self.settings)}
            facts["degraded"] = {
                name: {**worse.facts(), "meaning": DEGRADATIONS[name].meaning, "kept": worse.kept(result)}
                for name, worse in after.items()
            }
            write_figures(self.json, facts)
        if self.picture:
            title = f"{reader.recogniser.name} on {data}"
            draw_trust(result, self.picture, title=title, threshold=reader.unsure_below)
        if self.keep:
            restate(locate(self.model), held_out=held_out(result, after, data=data))

    def _evaluated(self, reader: Reader, found: Sequence[Item], degrade: str | None, console: Console) -> Evaluation:
        from rich.progress import Progress

        from mimica.reading.evaluate import evaluate

        with Progress(console=console, disable=not console.is_terminal) as bar:
            task = bar.add_task(degrade or "reading", total=len(found))
            return evaluate(
                reader, found, degrade=degrade, seed=self.seed,
                progress=lambda done: bar.update(task, completed=done),
            )  # fmt: skip


def _print(result: Evaluation, console: Console) -> None:
    from rich.table import Table

    print_scores(result, console)
    ece = "" if result.ece is None else f"ECE {result.ece:.3f}, "
    console.print(f"{ece}{result.n} files, {len(result.unread)} not read", highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("truth \\ read as")
    for label in (*result.labels, "recall"):
        table.add_column(label[:4] if label != "recall" else label, justify="right")
    for label, row in zip(result.labels, result.confusion, strict=True):
        recall = result.per_class[label]
        table.add_row(label, *map(str, row), "" if recall is None else f"{recall:.3f}")
    console.print(table)
    sure = "none of them" if result.sure is None else f"right in {result.sure:.3f} of them"
    shares = ", ".join(f"{name} {share:.1%}" for name, share in result.statuses.items() if share)
    console.print(f"{shares}; where it is ok, {sure}", highlight=False)
    _print_slices(result, console)
    print_unread(result, console)


def _print_slices(result: Evaluation, console: Console) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("files by", "", "n", "WAR", "UAR"):
        table.add_column(column, justify="right" if column in ("n", "WAR", "UAR") else "left")
    for part in result.slices:
        table.add_row(part.by, part.value, str(part.n), f"{part.war:.3f}", f"{part.uar:.3f}")
    console.print(table)


def _print_after(before: Evaluation, after: Mapping[str, Evaluation], console: Console) -> None:
    from rich.table import Table

    from mimica.data.degrade import DEGRADATIONS

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("after")
    for column in ("WAR", "UAR", "ECE", "not sure", "label kept"):
        table.add_column(column, justify="right")
    table.add_column("that is")
    for name, worse in after.items():
        kept = worse.kept(before)
        table.add_row(
            name, f"{worse.war.value:.3f}", f"{worse.uar.value:.3f}",
            "–" if worse.ece is None else f"{worse.ece:.3f}", f"{1 - worse.statuses['ok']:.1%}",
            "–" if kept is None else f"{kept:.1%}", DEGRADATIONS[name].meaning,
        )  # fmt: skip
    console.print(table)
    console.print(
        "label kept: the share of readings with status ok that say what the undegraded file does", style="dim"
    )


def _print_folds(report: Report, console: Console) -> None:
    from rich.table import Table

    found = report.found
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("fold", "clips", "UAR %", "WAR %"):
        table.add_column(column, justify="left" if column == "fold" else "right")
    for part in found.folds:
        table.add_row(part.name, str(part.n), f"{100 * part.uar:.2f}", f"{100 * part.war:.2f}")
    if len(found.folds) > 1:
        told = [f"{100 * f.mean.value:.2f} ± {100 * (f.deviation or 0):.2f}" for f in (found.uar, found.war)]
        table.add_row("mean ± deviation", "", *told)
        pooled = [f"{100 * f.pooled.value:.2f}" for f in (found.uar, found.war)]
        table.add_row("pooled", str(found.n), *pooled)
    console.print(table)
    ece = "" if found.ece is None else f"ECE {found.ece:.3f}, "
    console.print(f"{ece}{found.n} clips, {len(found.unread)} not read", highlight=False)
    console.print(f"models selected on: {report.selected_on}", highlight=False, markup=False)
    for why in [report.lacking] if report.lacking else []:
        console.print(why, markup=False, soft_wrap=True)
