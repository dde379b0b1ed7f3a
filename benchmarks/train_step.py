"""A training step of DuSE on the ViT-B/32 shape beside the same step written as public prompt-learning code has it.

`plain` does what the repositories of MaPLe and CoOp do: attention in plain formulas, every class text padded to 77
tokens, the prompts of each layer concatenated anew and mapped to the vision tower for every image by itself,
gradients through every layer of both towers. Same weights (random, which costs the same), same loss. A step is
forward, backward and Adam, 2 clips of 16 frames, in full precision. Steps go turn about; ratios are of one run.

Memory is the highest resident memory of a step above what the process held before it (VmHWM of Linux, reset before
the step), each in a fresh process after a step of one frame; `held` are the bytes that autograd keeps for the
backward pass, which no allocator touches. What it does not show: accuracy, other shapes, a GPU.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
import torch
import torch.nn.functional as F
from rich.progress import track
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPModel
from words import Words

from mimica.clips import ClipBatch
from mimica.encoders.clip import ClipText, ClipVision, _causal
from mimica.encoders.towers import freeze, recompute, spread
from mimica.labels import EXPRESSIONS
from mimica.recognition.duse.config import DuseConfig
from mimica.recognition.duse.model import Duse

KINDS = ("ours", "plain", "ours, checkpointed")
TIME_GOAL, MEMORY_GOAL, CHECKPOINTED_GOAL, SAME = 1.4, 0.8, 0.5, 1e-4
LONGEST = 77
"""Tokens that public code pads every sentence to."""


class Plain(nn.Module):
    """The same DuSE by the straight way through eager towers; prompts and aggregator are those of `duse`."""

    def __init__(self, duse: Duse, model: Any) -> None:
        super().__init__()
        self.duse = duse
        self.see, self.read, self.model = model.vision_model, model.text_model, model
        freeze(model)

    def forward(self, batch: ClipBatch) -> Tensor:
        """Logits [B, C]."""
        texts = self.texts()
        frames = spread(self.frames(batch.face[batch.valid]), batch.valid)
        found = self.duse.aggregator(frames, batch.valid, self.duse.aggregator.class_maps(texts))
        return self.duse._logits(found.feature, texts)

    def texts(self) -> Tensor:
        """F_T, all sentences padded, the prompts put in anew before each prompted layer and dropped after the last."""
        prompts = self.duse.prompts.text
        M, n, _ = prompts.shape
        said = Words()([described[0] for described in EXPRESSIONS.descriptions])["input_ids"]
        ids = torch.tensor([line + [0] * (LONGEST - n - len(line)) for line in said], device=prompts.device)
        ends = torch.tensor([len(line) - 1 for line in said], device=prompts.device)
        x, C = self.read.embeddings.token_embedding(ids), len(ids)
        x = torch.cat([x[:, :1], prompts[0].expand(C, -1, -1), x[:, 1:]], 1)
        x = x + self.read.embeddings.position_embedding.weight[:LONGEST]
        for i, layer in enumerate(self.read.encoder.layers):
            if 0 < i < M:
                x = torch.cat([x[:, :1], prompts[i].expand(C, -1, -1), x[:, 1 + n :]], 1)
            elif i == M:
                x = torch.cat([x[:, :1], x[:, 1 + n :]], 1)
            x = layer(x, attention_mask=_causal(x))
        out: Tensor = self.model.text_projection(self.read.final_layer_norm(x[torch.arange(C), ends]))
        return out

    def frames(self, images: Tensor) -> Tensor:
        """F_V, the prompts of each layer mapped for every image by itself."""
        prompts = self.duse.prompts
        x, N = self.see.embeddings(images), len(images)
        L = x.shape[1]
        for i, layer in enumerate(self.see.encoder.layers):
            if i < len(prompts.text):
                x = torch.cat([x[:, :L], prompts.couple(prompts.text[i].expand(N, -1, -1))], 1)
            elif i == len(prompts.text):
                x = x[:, :L]
            if i == 0:
                x = self.see.pre_layrnorm(x)
            x = layer(x, attention_mask=None)
        out: Tensor = self.model.visual_projection(self.see.post_layernorm(x[:, 0]))
        return out


def networks() -> tuple[Duse, Plain]:
    """Both, with the same weights."""
    torch.manual_seed(0)
    # The library's default shape is ViT-B/32. A config each: it notes its model's way of attention in it.
    ours, eager = (CLIPModel._from_config(CLIPConfig(), attn_implementation=way) for way in ("sdpa", "eager"))
    eager.load_state_dict(ours.state_dict())
    vision, text = ClipVision(ours), ClipText(ours, Words())
    duse = Duse(vision, text, EXPRESSIONS, DuseConfig(), log_scale=4.6).train()
    return duse, Plain(duse, eager)


def batch_of(clips: int, frames: int, size: int = 224) -> tuple[ClipBatch, Tensor]:
    """Noise, and labels."""
    face = torch.randn(clips, frames, 3, size, size, generator=torch.Generator().manual_seed(1))
    return ClipBatch(face=face, valid=torch.ones(clips, frames, dtype=torch.bool)), torch.arange(clips) % 7


def step_of(kind: str, duse: Duse, plain: Plain, adam: torch.optim.Optimizer) -> Callable[[ClipBatch, Tensor], float]:
    """A whole step of one kind; gives its loss."""
    network = plain if kind == "plain" else duse

    def step(batch: ClipBatch, labels: Tensor) -> float:
        recompute(duse, kind.endswith("checkpointed"))
        adam.zero_grad()
        loss = F.cross_entropy(network(batch), labels)
        loss.backward()
        adam.step()
        return float(loss.detach())

    return step


def adam_of(duse: Duse, lr: float) -> torch.optim.Optimizer:
    """Over all that is learned; at a rate of 0 every step sees the same weights."""
    return torch.optim.Adam([weight for weight in duse.parameters() if weight.requires_grad], lr=lr)


def parts_of(duse: Duse, batch: ClipBatch) -> dict[str, Callable[[], None]]:
    """Each tower by itself, forward and backward, with no prompt; both together are the least that a step can cost."""
    vision, text = duse.vision, duse.text
    faces = batch.face.flatten(0, 1)
    ids, ends = text._read([described[0] for described in EXPRESSIONS.descriptions], 0)

    def seen() -> None:
        x = vision.tower.pre_layrnorm(vision.tower.embeddings(faces)).detach().requires_grad_()
        for layer in vision.tower.encoder.layers:
            x = layer(x, attention_mask=None)
        vision.project(vision.tower.post_layernorm(x[:, 0])).sum().backward()

    def said() -> None:
        x = text.tower.embeddings(input_ids=ids).detach().requires_grad_()
        for layer in text.tower.encoder.layers:
            x = layer(x, attention_mask=_causal(x))
        text.project(text.tower.final_layer_norm(x[torch.arange(len(x)), ends])).sum().backward()

    return {"vision tower": seen, "text tower": said}


def timed(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each round, in an order that turns, so that what else runs falls on all."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    for number in track(range(-1, rounds), "measuring", transient=True):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            began = time.perf_counter()
            calls[name]()
            if number >= 0:  # the first warms up
                times[name].append(time.perf_counter() - began)
    return times


def same(duse: Duse, plain: Plain, batch: ClipBatch, labels: Tensor) -> dict[str, float]:
    """How far the two are apart: the loss, and the gradients as a share of the largest."""
    found = []
    for network in (duse, plain):
        duse.zero_grad()
        loss = F.cross_entropy(network(batch), labels)
        loss.backward()
        gradients = torch.cat([w.grad.flatten() for w in duse.parameters() if w.requires_grad and w.grad is not None])
        found.append((float(loss.detach()), gradients))
    (ours, mine), (theirs, other) = found
    return {
        "loss": ours,
        "loss_apart": abs(ours - theirs),
        "gradients_apart": float((mine - other).abs().max() / other.abs().max()),
    }


def held_by(step: Callable[[], Any], leave: set[int]) -> int:
    """The bytes of all memory that autograd keeps for the backward pass, each once, but for weights."""
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in leave:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()  # the tensor itself would hold the graph that holds it

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        step()
    return sum(kept.values())


def resident(name: str) -> int:
    """A figure of this process's memory in bytes: VmRSS now, VmHWM at most."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1]) * 1024


def remembered(kind: str, clips: int, frames: int) -> dict[str, int | None]:
    """Memory of one step in this process, which does nothing else."""
    duse, plain = networks()
    step, network = step_of(kind, duse, plain, adam_of(duse, 0.0)), plain if kind == "plain" else duse
    step(*batch_of(1, 1))
    batch, labels = batch_of(clips, frames)
    gc.collect()
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    step(batch, labels)
    above = resident("VmHWM") - before
    weights = {w.untyped_storage().data_ptr() for w in [*duse.parameters(), *plain.parameters(), *plain.buffers()]}
    weights.add(batch.face.untyped_storage().data_ptr())
    # What is held for computing layers anew is not saved by autograd, and so not seen there.
    held = None if kind.endswith("checkpointed") else held_by(lambda: network(batch), weights)
    return {"above_base": above, "held": held}


def memory(kind: str, chosen: Any) -> dict[str, int | None]:
    """The same in a fresh process, whose allocator gives back at once what is freed."""
    flags = ["--one", kind, "--clips", chosen.clips, "--frames", chosen.frames, "--threads", chosen.threads]
    env = machine.env(chosen.threads) | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}
    ran = machine.succeeded(machine.run([sys.executable, __file__, *map(str, flags)], env=env))
    found: dict[str, int | None] = json.loads(ran.lines[-1][1])
    return found


def main() -> None:
    chosen = _chosen()
    if chosen.one:
        torch.set_num_threads(chosen.threads)
        print(json.dumps(remembered(chosen.one, chosen.clips, chosen.frames)))
        return
    result: dict[str, Any] = {"machine": machine.settle()}
    result |= {key: getattr(chosen, key) for key in ("clips", "frames", "rounds", "threads")}
    torch.set_num_threads(chosen.threads)
    if Path("/proc/self/clear_refs").exists():
        result["memory"] = {kind: memory(kind, chosen) for kind in KINDS}
    duse, plain = networks()
    batch, labels = batch_of(chosen.clips, chosen.frames)
    result["same"] = same(duse, plain, batch, labels)
    adam = adam_of(duse, 0.0)
    steps = {kind: step_of(kind, duse, plain, adam) for kind in KINDS}
    calls: dict[str, Callable[[], Any]] = {
        kind: lambda step=step: step(batch, labels)  # type: ignore[misc]
        for kind, step in steps.items()
    }
    times = timed(calls | parts_of(duse, batch), chosen.rounds)
    result["seconds"] = {name: {"median": statistics.median(t), "fastest": min(t)} for name, t in times.items()}
    result["goals"] = {"time": TIME_GOAL, "memory": MEMORY_GOAL, "checkpointed": CHECKPOINTED_GOAL, "loss": SAME}
    result |= _ratios(result)
    _print(result)
    machine.keep(chosen.json, result)


def _ratios(result: dict[str, Any]) -> dict[str, Any]:
    seconds, ratios = result["seconds"], {}
    for by in ("median", "fastest"):
        towers = seconds["vision tower"][by] + seconds["text tower"][by]
        ratios[f"times_by_{by}"] = {
            "plain_to_ours": seconds["plain"][by] / seconds["ours"][by],
            "plain_to_checkpointed": seconds["plain"][by] / seconds["ours, checkpointed"][by],
            "ours_to_towers": seconds["ours"][by] / towers,
            "vision_share": seconds["vision tower"][by] / seconds["ours"][by],
            "text_share": seconds["text tower"][by] / seconds["ours"][by],
        }
    if "memory" in result:
        for what in ("above_base", "held"):
            plain, ours = result["memory"]["plain"][what], {k: m[what] for k, m in result["memory"].items()}
            ratios[what] = {kind: value and value / plain for kind, value in ours.items() if kind != "plain"}
    return ratios


def _print(result: dict[str, Any]) -> None:
    medians, fastest, apart = result["times_by_median"], result["times_by_fastest"], result["same"]
    print(f"loss apart {apart['loss_apart']:.1e}: {machine.goal(apart['loss_apart'] <= SAME)}")
    print(
        f"plain takes {medians['plain_to_ours']:.2f} times ours by medians, {fastest['plain_to_ours']:.2f} by the "
        f"fastest; goal {TIME_GOAL}: {machine.goal(medians['plain_to_ours'] >= TIME_GOAL)}"
    )
    print(
        f"ours takes {medians['ours_to_towers']:.2f} times the bare towers' own forward and backward "
        f"(vision {medians['vision_share']:.0%} of the step, text {medians['text_share']:.0%})"
    )
    if "memory" in result:
        for kind, goal in (("ours", MEMORY_GOAL), ("ours, checkpointed", CHECKPOINTED_GOAL)):
            share, kept = result["above_base"][kind], result["held"][kind]
            told = "" if kept is None else f", {kept:.2f} of what it holds"
            print(f"{kind}: {share:.2f} of plain's memory{told}; goal {goal}: {machine.goal(share <= goal)}")


def _chosen() -> Any:
    parser = machine.flags(__doc__)
    parser.add_argument("--clips", type=int, default=2)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--one", choices=KINDS, help="memory of one step of this kind, in this process")
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
