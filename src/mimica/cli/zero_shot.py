"""`mimica zero-shot`: how right an encoder is by class texts alone, or a recogniser on classes it never learned."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from mimica.cli.figures import print_scores, print_unread, write_figures
from mimica.reading.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from mimica.labels import LabelSpace
    from mimica.metrics.classification import Interval
    from mimica.reading.evaluate import Evaluation
    from mimica.recognition.model import Recogniser


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroShot:
    """Measure class texts on labelled files, nothing learned: WAR, UAR and recall by class with intervals."""

    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """folder:PATH with a folder a class, table:FILE with the columns path and label, dfew:PATH, mafw:PATH …"""
    encoder: str | None = None
    """The encoder: compact, the path that pretraining wrote, or a CLIP: its folder, file or name on the hub."""
    model: str | None = None
    """Instead of a bare encoder a trained recogniser, which is told of the classes; it may not have learned them."""
    classes: Annotated[tuple[str, ...], tyro.conf.arg(metavar="FILE.json|NAME[=TEXT] ...")] = ()
    """Own classes in place of the data's: a label_space.json, or each class's NAME, or NAME="its description"."""
    texts: Literal["first", "mean"] = "first"
    """Each class by its first description, or by the mean of all of them; a trained recogniser has its own way."""
    fold: int | None = None
    """Which fold of data that has folds, from 1."""
    part: str | None = None
    """Only this part; where not given, test of a published data set and of a fold, and all of other data."""
    settings: Settings = field(default_factory=Settings)
    out: Path | None = None
    """Write it to this folder as a recogniser, which predict and evaluate take as --model."""
    json: Path | None = None
    """Write the figures to this file; fractions, not percent."""

    def run(self) -> int:
        """Print the figures; 1 if some files could not be read."""
        from rich.console import Console
        from rich.progress import Progress

        from mimica.data.clipset import measured
        from mimica.metrics.classification import recall_intervals
        from mimica.reading.evaluate import evaluate, read_as
        from mimica.reading.reader import Reader

        space = self._space()
        found = measured(self.data, space=space, fold=self.fold, part=self.part)
        recogniser = self._recogniser(space)
        console = Console()
        if self.out:
            from mimica.recognition.store import save_as_it_is

            path = self.out / f"{recogniser.name}.safetensors"
            save_as_it_is(path, recogniser)
            console.print(str(path), highlight=False, soft_wrap=True)
        with Progress(console=console, disable=not console.is_terminal) as bar:
            task = bar.add_task("reading", total=len(found))
            reader = Reader(recogniser, self.settings)
            result = evaluate(reader, found, progress=lambda done: bar.update(task, completed=done))
        recalls = recall_intervals(read_as(result.files, len(result.labels)))
        _print(result, recalls, space, console)
        if self.json:
            write_figures(self.json, self._facts(result, recalls, recogniser))
        return int(bool(result.unread))

    def _space(self) -> LabelSpace:
        """The classes to choose from. Raises UsageError for what cannot be done, before an encoder is opened."""
        from mimica.cli.loop import refuse_unwritable
        from mimica.data.clipset import space_of, stated_space
        from mimica.errors import UsageError
        from mimica.labels import LabelSpace

        if self.encoder and self.model:
            raise UsageError("give either --encoder, whose texts are measured as they are, or --model, not both")
        if self.model and self.texts != "first":
            raise UsageError("--texts is for --encoder; a trained recogniser reads descriptions as it did in training")
        if self.out:
            refuse_unwritable(self.out)
        if len(self.classes) == 1 and self.classes[0].endswith(".json"):
            return stated_space(Path(self.classes[0]))
        return LabelSpace.of_words(self.classes) if self.classes else space_of(self.data)

    def _recogniser(self, space: LabelSpace) -> Recogniser:
        from dataclasses import replace

        from mimica.encoders.named import open_encoder
        from mimica.recognition.baselines.match import as_it_is
        from mimica.recognition.registry import check_device, load

        if self.model:
            told = load(self.model, device=self.settings.device, space=space)
            return replace(told, name=f"zero-shot-{told.name}")
        check_device(self.settings.device)
        return as_it_is(open_encoder(self.encoder or "compact"), space, texts=self.texts, device=self.settings.device)

    def _facts(
        self, result: Evaluation, recalls: Sequence[Interval | None], recogniser: Recogniser
    ) -> dict[str, object]:
        intervals = [None if recall is None else [recall.low, recall.high] for recall in recalls]
        return {
            **result.facts(),
            "per_class_interval": dict(zip(result.labels, intervals, strict=True)),
            "classes": recogniser.space.facts(), "learned_classes": recogniser.facts.get("learned_classes", []),
            "data": self.data, "fold": self.fold, "part": self.part, "model": self.model,
            "encoder": recogniser.facts["encoder"], "settings": asdict(self.settings),
            "texts": recogniser.facts.get("config", {}).get("texts", self.texts),
        }  # fmt: skip


def _print(result: Evaluation, recalls: Sequence[Interval | None], space: LabelSpace, console: Console) -> None:
    from rich.table import Table

    print_scores(result, console)
    console.print(f"{result.n} files, {len(result.unread)} not read; nothing was learned from them", highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("class", "n", "recall", "95 % interval", "read by"):
        table.add_column(column, justify="right" if column in ("n", "recall") else "left", overflow="fold")
    counts = [sum(file.item.label == i for file in result.files) for i in range(len(space))]
    for name, n, recall, described in zip(result.labels, counts, recalls, space.descriptions, strict=True):
        shown = ("–", "") if recall is None else (f"{recall.value:.3f}", f"{recall.low:.3f} to {recall.high:.3f}")
        table.add_row(name, str(n), *shown, described[0])
    console.print(table, markup=False)
    print_unread(result, console)
