"""Measure a model, or one a fold, by a protocol, and write all that is to be said of it into one folder."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from mimica import checkpoint
from mimica.data.clipset import parse
from mimica.experiments.latex import escaped
from mimica.experiments.literature import DATA, Row, published_figures
from mimica.experiments.measure import Measured, Sampled, measured, predictions, sampled
from mimica.experiments.predictions import Predictions, joined, write_predictions
from mimica.experiments.protocol import Planned, planned
from mimica.experiments.results import Results, results
from mimica.notice import NOTICE
from mimica.training.results import made_with

Progress = Callable[[str, int, int], None]
"""Told the name of a fold, how many of its clips were read, and how many it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that is said of a model by a protocol: its results, what was measured and how, what others printed.

    `tested` are the folds, `how` is the way in which each one's model reads a clip. `pictures` are the files that
    were drawn, `lacking` says why others were not, and `features` what the t-SNE shows.
    """

    data: str
    kind: str
    protocol: str
    title: str
    found: Results
    tested: tuple[Planned, ...]
    how: tuple[Sampled, ...]
    published: tuple[Row, ...]
    latex: str
    written: datetime
    pictures: tuple[Path, ...]
    lacking: str
    features: str

    @property
    def model(self) -> str:
        """What the models are called, by their files."""
        return _model_name(self.tested)

    @property
    def selected_on(self) -> str:
        """What the models' own files say that they were selected on."""
        told = dict.fromkeys(str(tested.facts.get("selected_on") or "not stated") for tested in self.tested)
        return ", ".join(told)

    def facts(self) -> dict[str, Any]:
        """The report as JSON: figures are fractions, published ones are percent."""
        models = [
            {
                "fold": tested.name, "model": str(tested.model), "sha256": tested.facts.get("sha256"),
                "architecture": tested.facts.get("architecture"), "encoder": tested.facts.get("encoder"),
                "learned_from": tested.learned_from or None, "selected_on": tested.facts.get("selected_on"),
                "clips": len(tested.items), "reads": asdict(how),
            }
            for tested, how in zip(self.tested, self.how, strict=True)
        ]  # fmt: skip
        return {
            **made_with(),
            "date": self.written.date().isoformat(),
            "data": self.data,
            "protocol": self.protocol,
            "selected_on": self.selected_on,
            "models": models,
            **self.found.facts(),
            "latex": self.latex,
            "published": [asdict(row) for row in self.published],
            "published_are": "UAR and WAR in percent as printed by their authors",
            "notice": NOTICE,
        }


def evaluate_protocol(
    spec: str,
    *,
    protocol: str,
    model: str,
    out: Path,
    views: int = 1,
    device: str = "cpu",
    progress: Progress = lambda name, done, of: None,
) -> Report:
    """Measure every test clip once, by the model of the fold that tests it, and write the report of it into `out`.

    Clips are taken as the data set gives them, cropped to a face, and read as the literature does: one prediction a
    clip, of the frames that the model's own sampling takes in test, or logits averaged over `views` choices of them.
    No face is looked for, no clip is parted into windows. This is how training measures too.

    `{fold}` in `model` stands for the number of a fold; a name without it is one model for all, which is of use
    for what has not learned from this data at all. What was read lies in `out/folds` and is not read again unless
    model or clips have changed. `out` then holds report.html, report.json, predictions.csv, confusion.csv, row.tex
    and pictures. Raises what `planned` raises, before anything is read.
    """
    tested = planned(spec, protocol, model)
    hows = [sampled(one.facts, views) for one in tested]
    for how in hows:
        how.check()
    read: list[Measured] = []
    for one in tested:
        keep = out / "folds" / f"{one.name}.safetensors"
        told = _telling(progress, one)
        read.append(measured(one, keep, views=views, device=device, progress=told))
    found = joined([predictions(one, of) for one, of in zip(tested, read, strict=True)])
    return _reported(spec, protocol, out, tested, hows, read, found)


def _telling(progress: Progress, one: Planned) -> Callable[[int], None]:
    return lambda done: progress(one.name, done, len(one.items))


def _reported(
    spec: str, protocol: str, out: Path, tested: Sequence[Planned], hows: Sequence[Sampled], read: Sequence[Measured],
    found: Predictions,
) -> Report:  # fmt: skip
    from mimica.experiments.page import render

    kind, path = parse(spec)
    figures, data = results(found), DATA.get(kind, path.stem)
    name = _model_name(tested)
    title = f"{name} on {data}" + (f", {len(tested)} folds" if len(tested) > 1 else "")
    pictures, lacking = _pictured(out, title, tested, figures, read)
    report = Report(
        data=spec, kind=kind, protocol=protocol, title=title, found=figures, tested=tuple(tested), how=tuple(hows),
        published=tuple(published_figures(kind)), latex=latex_row(name, figures), written=datetime.now(UTC),
        pictures=pictures, lacking=lacking, features=read[0].of,
    )  # fmt: skip
    write_predictions(out / "predictions.csv", found)
    _put(out / "confusion.csv", _confusion_text(figures))
    _put(out / "row.tex", report.latex)
    _put(out / "report.json", json.dumps(report.facts(), indent=1, allow_nan=False) + "\n")
    _put(out / "report.html", render(report))
    return report


def latex_row(name: str, found: Results) -> str:
    """A row of a table as the field prints them: UAR and WAR in percent, the mean over folds."""
    told = escaped(name)
    if len(found.folds) == 1:
        return f"{told} & {100 * found.uar.mean.value:.2f} & {100 * found.war.mean.value:.2f} \\\\ % UAR, WAR\n"
    spread = [f"${100 * f.mean.value:.2f} \\pm {100 * (f.deviation or 0):.2f}$" for f in (found.uar, found.war)]
    return (
        f"{told} & {100 * found.uar.mean.value:.2f} & {100 * found.war.mean.value:.2f} \\\\ "
        f"% UAR, WAR: means of {len(found.folds)} folds\n"
        f"{told} & {' & '.join(spread)} \\\\ % with standard deviations over folds\n"
    )


def _model_name(tested: Sequence[Planned]) -> str:
    return ", ".join(dict.fromkeys(one.model.stem for one in tested))


def _pictured(
    out: Path, title: str, tested: Sequence[Planned], figures: Results, read: Sequence[Measured]
) -> tuple[tuple[Path, ...], str]:
    """What could be drawn, and why the rest was not. Video features are those of the first fold alone.

    Each fold's network has a space of its own, in which those of others lie nowhere.
    """
    from mimica.experiments.pictures import draw_confidence, draw_confusion, draw_features, drawable

    if find_spec("matplotlib") is None:
        return (), "no picture was drawn, for matplotlib is not installed: pip install 'mimica[train]'"
    draw_confusion(figures, out / "confusion.png", title=f"{title}: % of each class, and clips")
    below = {one.facts.get("unsure_below") for one in tested}
    threshold = below.pop() if len(below) == 1 else None
    draw_confidence(figures, out / "confidence.png", title=title, threshold=threshold or None)
    drawn = (out / "confusion.png", out / "confidence.png")
    if find_spec("sklearn") is None:
        return drawn, "no t-SNE was drawn, for scikit-learn is not installed: pip install 'mimica[train]'"
    there = ~torch.isnan(read[0].features).any(1).numpy()
    features = read[0].features.numpy()[there]
    if not drawable(features):
        return drawn, "no t-SNE was drawn, for too few clips have features that differ"
    truth = torch.tensor([item.label for item in tested[0].items]).numpy()[there]
    what = f"{title}: {'video features' if read[0].of == 'feature' else 'logits'} by t-SNE"
    what += f", fold {tested[0].name}" if len(tested) > 1 else ""
    draw_features(features, truth, figures.labels, out / "tsne.png", title=what)
    return (*drawn, out / "tsne.png"), ""


def _confusion_text(found: Results) -> str:
    import csv

    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["labelled \\ read as", *found.labels, "not read"])
    for name, row in zip(found.labels, found.confusion.tolist(), strict=True):
        table.writerow([name, *row])
    return text.getvalue()


def _put(path: Path, text: str) -> None:
    checkpoint.put(path, text.encode())
