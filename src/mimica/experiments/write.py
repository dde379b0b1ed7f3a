"""What an ablation leaves in its folder: JSON to go on with, and rows of LaTeX for a paper."""

from __future__ import annotations

import json
from pathlib import Path

from mimica import checkpoint
from mimica.experiments.ablate import Ablation
from mimica.experiments.latex import escaped


def write_ablation(out: Path, found: Ablation) -> list[Path]:
    """Write `ablation.json` and `ablation.tex` into a folder, each whole; gives their paths."""
    paths = [out / "ablation.json", out / "ablation.tex"]
    texts = [json.dumps(found.facts(), indent=1, ensure_ascii=False) + "\n", latex(found)]
    for path, text in zip(paths, texts, strict=True):
        checkpoint.put(path, text.encode())
    return paths


def latex(found: Ablation) -> str:
    """The rows of a table: variant, then UAR and WAR in percent, the mean over all runs, the best of each in bold."""
    means = [(100 * row.uar.mean(), 100 * row.war.mean()) for row in found.rows]
    best = [max(column) for column in zip(*means, strict=True)]
    lines = [f"% {found.grid.name}: UAR and WAR (%), mean of {found.rows[0].uar.size} runs each"]
    for row, figures in zip(found.rows, means, strict=True):
        cells = [
            rf"\textbf{{{figure:.2f}}}" if figure == top else f"{figure:.2f}"
            for figure, top in zip(figures, best, strict=True)
        ]
        lines.append(f"{escaped(row.name)} & {' & '.join(cells)} \\\\")
    return "\n".join(lines) + "\n"
