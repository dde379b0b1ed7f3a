"""The two streams of OUS: faces and scenes fused early, each made one feature, both brought into one space.

OUS (arXiv 2405.18769), eqs. 2, 13, 14. B clips, T frames, d joint dimension. Frames of a clip stand at its
beginning, none missing between them (`valid` [B, T] is a prefix).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mimica.encoders.quick_gelu import QuickGelu
from mimica.errors import UsageError
from mimica.recognition.ous.config import OusConfig


class EarlyFusion(nn.Module):
    """One recurrent cell for both views: along the frames of each, or over face and scene of each frame (eq. 13)."""

    def __init__(self, config: OusConfig, *, dim: int) -> None:
        super().__init__()
        self.along, self.residual, self.scaled = config.early, config.early_residual, config.inputs == "scaled"
        kind = nn.LSTM if config.cell == "lstm" else nn.RNN
        self.cell = None if config.early == "none" else kind(dim, dim, batch_first=True)
        if self.cell is not None and config.start == "encoder" and config.early_residual:
            _put_out_nothing(self.cell, config.cell)

    def forward(self, face: Tensor, scene: Tensor) -> tuple[Tensor, Tensor]:
        """V_f' and V_s' [B, T, d] of V_f and V_s. Without a residual they are hidden states, from -1 to 1."""
        face, scene = self._in(face), self._in(scene)
        if self.along != "type":
            return self._over_time(face), self._over_time(scene)
        both = torch.stack([face, scene], 2)
        out = self._run(both.flatten(0, 1)).view_as(both)
        return out[:, :, 0], out[:, :, 1]

    def alone(self, scene: Tensor) -> Tensor:
        """V_s' [B, T, d] of scenes whose faces are not seen."""
        scene = self._in(scene)
        if self.along != "type":
            return self._over_time(scene)
        return self._run(scene.flatten(0, 1)[:, None]).view_as(scene)

    def _in(self, x: Tensor) -> Tensor:
        return F.normalize(x, dim=-1) * x.shape[-1] ** 0.5 if self.scaled else x

    def _over_time(self, x: Tensor) -> Tensor:
        return x if self.cell is None else self._run(x)

    def _run(self, x: Tensor) -> Tensor:
        assert self.cell is not None
        out: Tensor = self.cell(x)[0]
        return x + out if self.residual else out


def _put_out_nothing(cell: nn.RNNBase, kind: str) -> None:
    """Have a cell begin with states of zero: by what it would write, so that its gates learn at once."""
    for name, weight in cell.named_parameters():
        d = weight.shape[0] // 4
        if kind == "lstm":
            nn.init.zeros_(weight[2 * d : 3 * d])
        elif name != "weight_hh_l0":
            nn.init.zeros_(weight)


class FramesEncoder(nn.Module):
    """V_ft [B, d] of a clip's faces: a transformer over its frames, a way around it, and their mean."""

    def __init__(self, config: OusConfig, *, dim: int) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.randn(config.frames, dim) * 0.02)
        layer = nn.TransformerEncoderLayer(
            dim, config.frames_heads, config.mlp * dim, dropout=0.0, activation=QuickGelu(), batch_first=True,
            norm_first=True,
        )  # fmt: skip
        self.layers = nn.TransformerEncoder(layer, config.frames_layers, enable_nested_tensor=False)
        if config.start == "encoder":
            for part in self.layers.layers:
                begin_as_nothing(part.self_attn.out_proj, part.linear2)

    def forward(self, faces: Tensor, valid: Tensor) -> Tensor:
        """Of V_f' [B, T, d] with `valid` [B, T]. Raises UsageError for more frames than there are positions."""
        T = faces.shape[1]
        if len(self.position) < T:
            raise UsageError(f"OUS has positions for {len(self.position)} frames, and a clip has {T}")
        # A clip without a frame has zeros for features; attending to them is better than to nothing, a NaN.
        absent = ~(valid | ~valid.any(-1, keepdim=True))
        moved: Tensor = faces + self.layers(faces + self.position[:T], src_key_padding_mask=absent)
        return mean_over_time(moved, valid)


class Align(nn.Module):
    """Into the space where face and scene meet: a convolution along the features, then a linear layer."""

    def __init__(self, config: OusConfig, *, dim: int) -> None:
        super().__init__()
        self.convolve = nn.Conv1d(1, 1, 3, padding=1) if config.align == "conv" else None
        self.linear = nn.Linear(dim, dim)
        if config.start == "encoder":
            nn.init.eye_(self.linear.weight)
            nn.init.zeros_(self.linear.bias)
            if self.convolve is not None:
                nn.init.dirac_(self.convolve.weight)
                nn.init.zeros_(self.convolve.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Of [B, d] again [B, d]."""
        if self.convolve is not None:
            x = self.convolve(x[:, None])[:, 0]
        aligned: Tensor = self.linear(x)
        return aligned


def mean_over_time(frames: Tensor, valid: Tensor) -> Tensor:
    """The mean [B, d] of the valid frames [B, T, d] of each clip (eq. 14); zero where it has none."""
    weights = valid / valid.sum(-1, keepdim=True).clamp(min=1)
    return torch.einsum("bt,bt...->b...", weights.to(frames), frames)


def begin_as_nothing(*maps: nn.Linear) -> None:
    """Have maps put out nothing until they have learned."""
    for one in maps:
        nn.init.zeros_(one.weight)
        nn.init.zeros_(one.bias)
