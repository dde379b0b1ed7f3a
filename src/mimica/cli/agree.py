"""`mimica agree`: how far a human annotation agrees with readings, or two coders with each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mimica.cli.progress import console_of_tables, plain, speak_of_any_name
from mimica.notice import SHORT
from mimica.reading.agreement.settings import AgreementSettings

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from mimica.metrics.agreement import Figure
    from mimica.reading.agreement.measure import Agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class Agree:
    """Compare human annotation (ELAN, CSV) with readings, or two coders: Cohen's kappa, by person and by class."""

    annotation: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="ANNOTATION")]
    """What someone annotated: .eaf, a table with start, end and label, ELAN's tab-delimited text, or a folder of it."""
    other: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OTHER")]
    """Readings of mimica predict (.parquet, .jsonl, .csv, or the folder), or what another coder annotated."""
    settings: AgreementSettings = field(default_factory=AgreementSettings)
    json: Path | None = None
    """Write the figures to this file; fractions, not percent."""
    csv: Path | None = None
    """Write every compared moment to this table, for statistics of one's own."""

    def run(self) -> int:
        """Print the figures."""
        from mimica.reading.agreement.measure import agreement
        from mimica.reading.agreement.write import check, write_facts, write_moments

        speak_of_any_name(False)
        for path in (self.json, self.csv):
            if path is not None:
                check(path, (self.annotation, self.other))
        found = agreement(self.annotation, self.other, self.settings)
        if self.json is not None:
            write_facts(self.json, found)
        if self.csv is not None:
            write_moments(self.csv, found)
        _print(found, console_of_tables())
        return 0


def _print(found: Agreement, console: Console) -> None:
    overall = found.overall
    for name, figure in (("kappa", overall.kappa), ("agreement", overall.agreement)):
        after = "" if name == "kappa" or overall.chance is None else f", by chance {overall.chance:.3f}"
        console.print(f"{name} {_with_interval(figure)}{after}", highlight=False)
    few = "" if overall.kappa.low is not None else ", too few for an interval"
    console.print(
        f"{overall.both:.1f} s of which both speak, in steps of {found.step:g} s; "
        f"{found.blocks} block{'s' if found.blocks > 1 else ''} of {found.block:g} s{few}", highlight=False,
    )  # fmt: skip
    _print_people(found, console)
    _print_confusion(found, console)
    _print_classes(found, console)
    left = ", ".join(f"{why} {seconds:.1f} s" for why, seconds in found.left_out.items())
    read_as = ", ".join(f"{word} as {label}" for word, label in found.words.items())
    for told in (left and f"left out: {left}", read_as and f"taken: {read_as}", *found.notes):
        if told:
            console.print(told, soft_wrap=True, markup=False, highlight=False)
    console.print(SHORT, style="dim")


def _names(found: Agreement) -> tuple[str, str]:
    """What the coders are called in a table."""
    if found.one.kind != found.other.kind:
        return "annotated", "read"
    return "first", "second"


def _print_people(found: Agreement, console: Console) -> None:
    one, other = _names(found)
    numbers = (one, other, "both", f"of {one}", f"of {other}", "kappa", "95 %", "agreement")
    table = _table(("source", "person"), numbers)
    for each in found.people:
        agreed = each.agreed
        table.add_row(
            plain(Path(each.source).name), plain(each.person), f"{agreed.one:.1f} s", f"{agreed.other:.1f} s",
            f"{agreed.both:.1f} s", _share(agreed.covered), _share(agreed.other_covered),
            *_parted(agreed.kappa), _number(agreed.agreement.value),
        )  # fmt: skip
    console.print(table)


def _print_confusion(found: Agreement, console: Console) -> None:
    one, other = _names(found)
    table = _table((f"seconds {one} \\ {other}",), [plain(label[:4]) for label in found.labels])
    for label, row in zip(found.labels, found.confusion.tolist(), strict=True):
        table.add_row(plain(label), *(f"{number * found.step:.1f}" if number else "·" for number in row))
    console.print(table)


def _print_classes(found: Agreement, console: Console) -> None:
    one, other = _names(found)
    events = found.one.kind == "annotation"
    table = _table(("class",), (one, other, "both", "kappa", "95 %", *(["segments found"] if events else [])))
    for each in found.classes:
        segments = [f"{each.found} of {each.segments}" if each.segments else "–"] if events else []
        seconds = (f"{seconds:.1f} s" for seconds in (each.one, each.other, each.both))
        table.add_row(plain(each.label), *seconds, *_parted(each.kappa), *segments)
    console.print(table)


def _table(texts: Sequence[str], numbers: Sequence[str]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in texts:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def _with_interval(figure: Figure) -> str:
    if figure.value is None:
        return "is undefined"
    if figure.low is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} (95 % interval {figure.low:.3f} to {figure.high:.3f})"


def _parted(figure: Figure) -> tuple[str, str]:
    """A figure and its interval, for two cells."""
    return _number(figure.value), "–" if figure.low is None else f"{figure.low:.3f} to {figure.high:.3f}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"
