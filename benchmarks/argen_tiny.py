"""The tiny generator on drawn actors whom it never saw: do units move as planned, and does the person stay who it is?

48 plans of six classes for 24 actors of the part test, 9 frames at 8 a second, as `mimica augment generate` samples
them. All is measured by the sight that is held out: Pearson's correlation of its units with the plan over time, mean
over planned units; the mean cosine of frames with the still; the share of clips taken for their class; how far units
rise, as a share of the plan; and the whole reward of a judge calibrated on actors of the part train. Beside generated
clips stand true ones, drawn to the same plan, these coded and decoded, and the still, frozen. What it does not show:
anything of people.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import machine
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from mimica.data.actor import draw
from mimica.data.actor_camera import taking
from mimica.data.actor_identity import identities_at
from mimica.data.actor_settings import Part
from mimica.data.scene import scenes
from mimica.generation.alignment import align
from mimica.generation.diffusion.backends import open_policy
from mimica.generation.diffusion.settings import Sampling
from mimica.generation.plan import plan
from mimica.generation.rewards.judges import detectors, judge_on, pools_of
from mimica.generation.rewards.measure import MOVES, unit_figures
from mimica.generation.rewards.sight import load_sight
from mimica.generation.sampling import sample
from mimica.generation.settings import PlanSettings
from mimica.generation.targets import Targets
from mimica.labels import EXPRESSIONS

FRAMES, SIZE, PEOPLE = 9, 48, 24
LEAST_CORRELATION, LEAST_IDENTITY = 0.70, 0.95


def drawn(part: Part, seed: int, number: int) -> tuple[Tensor, Targets]:
    """So many clips [N, T, 3, S, S] of `PEOPLE` actors, each drawn to its plan, and what they were to show."""
    known = align([], [], EXPRESSIONS)
    names = [name for name in EXPRESSIONS.names if name != "neutral"]
    settings = PlanSettings(frames=FRAMES, fps=8.0, seed=seed)
    plans = [plan(known, names[i % len(names)], i, settings=settings) for i in range(number)]
    curves = torch.from_numpy(np.stack([one.curves() for one in plans])).float()
    numbers, who = np.arange(number), np.arange(number) % PEOPLE
    pose, light, _ = taking(numbers, FRAMES, part, seed)
    behind = scenes(numbers % 3 - 1, size=SIZE, part=part, seed=seed, numbers=numbers)
    clips = draw(identities_at(who, part=part, seed=seed), curves, pose, light, size=SIZE, scene=behind)
    labels = torch.tensor([EXPRESSIONS.index(one.label) for one in plans])
    return clips, Targets(images=clips[:, 0], curves=curves, labels=labels, people=tuple(map(str, who)))


def measured(chosen: Any) -> dict[str, dict[str, float]]:
    """By kind of clip, its figures."""
    sampling = Sampling(model=chosen.model)
    policy, sight = open_policy("tiny", chosen.model), load_sight(which="held-out")
    judge = judge_on(*drawn("train", 5, 4 * PEOPLE), sight=sight)
    real, targets = drawn("test", 6, 2 * PEOPLE)
    others, those = drawn("test", 6, 4 * PEOPLE)
    others, people = others[2 * PEOPLE :], those.people[2 * PEOPLE :]
    judge = replace(judge, detectors=detectors(sight, pools_of(sight, others, people)))
    how, guidance = sampling.how
    with torch.no_grad():
        condition = policy.condition(targets.images, curves=targets.curves, frames=FRAMES)
        noise = policy.noise(condition, torch.Generator().manual_seed(0))
        kinds = {
            "generated": sample(policy, condition, noise, sampling=how, guidance=guidance), "true": real,
            "true, coded": policy.decode(policy.encode(real), condition),
            "the still, frozen": real[:, :1].expand_as(real),
        }  # fmt: skip
        still, found = sight.embed(real[:, :1]), dict[str, dict[str, float]]()
        for name, clips in kinds.items():
            units = sight.units(clips)
            wanted = targets.curves.amax(1) - targets.curves[:, 0]
            rise = (units.amax(1) - units[:, 0]) / wanted.clamp(min=1e-6)
            right = sight.recogniser(clips).argmax(1) == targets.labels
            found[name] = {
                "correlation": float(unit_figures(units.numpy(), targets.curves.numpy())["unit_r"]),
                "identity": float((sight.embed(clips)[:, 1:] * still).sum(-1).mean()),
                "class": float(right.float().mean()), "rise": float(rise[wanted > MOVES].mean()),
                "reward": float(judge(clips, targets).total(judge.settings).mean()),
            }  # fmt: skip
    return found


def main() -> int:
    parser = machine.flags(__doc__)
    parser.add_argument("--model", help="the generator's file; the one that ships where none is named")
    chosen = parser.parse_args()
    found = measured(chosen)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", *next(iter(found.values()))):
        table.add_column(column, justify="left" if not column else "right")
    for name, figures in found.items():
        table.add_row(name, *(f"{value:.3f}" for value in figures.values()))
    Console().print(table)
    made, frozen = found["generated"], found["the still, frozen"]
    goals = {
        "correlation": made["correlation"] >= LEAST_CORRELATION, "identity": made["identity"] >= LEAST_IDENTITY,
        "frozen is worth less": frozen["reward"] < made["reward"],
    }  # fmt: skip
    print(", ".join(f"{name}: {'reached' if reached else 'MISSED'}" for name, reached in goals.items()))
    machine.keep(
        chosen.json, {**machine.settle(), "clips": 2 * PEOPLE, "actors": PEOPLE, "figures": found, "goals": goals}
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
