"""The compact encoder: a convolutional stem and a small vision transformer, for 48-pixel faces on a laptop.

N pictures, S side in pixels, L patches, n prompt tokens, D width, d joint dimension.

Design after "Early Convolutions Help Transformers See Better" (arXiv 2106.14881): a stem of
residual convolutions does what a patch embedding does badly at this size. It is trained by this
project (`mimica pretrain compact`), never taken from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mimica.encoders.towers import After, Prompts, SteppedVision, last_of, step_through

_LUMA = (0.299, 0.587, 0.114)
_FIRST = "stem.0.weight"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactConfig:
    """The shape of a compact encoder: its side in pixels, its stem, its transformer, its joint dimension.

    `entry` is the channels of the first convolution and `entry_stride` its stride, 1 or 2; `stem` the
    channels of the three stages that follow, `blocks` how many residual blocks each has. A layer's
    hidden width is `mlp` times `width`. `pooled` begins the class token as the mean of the patches. With `colour`
    pictures are read in colour, and by how light they are.
    """

    size: int = 48
    entry: int = 64
    entry_stride: int = 2
    stem: tuple[int, int, int] = (64, 128, 192)
    blocks: tuple[int, int, int] = (1, 1, 1)
    width: int = 192
    layers: int = 4
    heads: int = 3
    mlp: int = 4
    pooled: bool = False
    colour: bool = False
    dim: int = 256

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> CompactConfig:
        """The config that a checkpoint's JSON states."""
        lists = {key: tuple(value) for key, value in facts.items() if isinstance(value, list)}
        return cls(**{**facts, **lists})

    def facts(self) -> dict[str, Any]:
        """The config as a checkpoint's JSON states it."""
        return asdict(self)

    def build(self) -> CompactVision:
        """A tower of this shape, its weights random."""
        return CompactVision(self)


class _Residual(nn.Module):
    """Two 3x3 convolutions beside a short way; the first halves the side where `stride` is 2.

    The short way is a 1x1 convolution, or the input itself where `inputs` is None.
    """

    def __init__(self, inputs: int | None, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs or outputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1, bias=False) if inputs else nn.Identity()
        self.skip_norm = nn.BatchNorm2d(outputs) if inputs else nn.Identity()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        short = F.avg_pool2d(x, self.stride, ceil_mode=True) if self.stride > 1 else x
        return F.relu(y + self.skip_norm(self.skip(short)))


class _Layer(nn.Module):
    """A pre-norm transformer layer with full attention."""

    def __init__(self, width: int, heads: int, mlp: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, mlp * width)
        self.down = nn.Linear(mlp * width, width)
        self.heads = heads

    def forward(self, x: Tensor) -> Tensor:
        N, L, D = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(N, L, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        x = x + self.out(_attended(q, k, v).transpose(1, 2).reshape(N, L, D))
        y: Tensor = x + self.down(F.gelu(self.up(self.norm2(x))))
        return y


def _attended(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Full attention of [N, heads, L, D / heads]."""
    if q.requires_grad and q.device.type == "cpu":
        # In bf16 on a CPU the fused kernel's backward takes five times as long as that of the plain formula.
        shares = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1)
        attended: Tensor = shares.to(v.dtype) @ v
        return attended
    return F.scaled_dot_product_attention(q, k, v)


class CompactVision(SteppedVision):
    """A vision tower of about 2.8 million weights that reads 48-pixel faces by their shades of grey, or in colour.

    Without `colour` that is dropped and each picture is brought to zero mean and unit deviation, because what it was
    trained on is grey and light in the wild is not ours to choose. With `colour` the three channels are brought there
    by the mean and deviation of the greys, and how light the picture is stands beside them as a fourth: of a scene,
    that tells day from night. A tower of greys that is made to read colour reads each picture as it did (`coloured`).
    """

    architecture = "compact"

    def __init__(self, config: CompactConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or CompactConfig()
        self.size, self.width, self.layers, self.dim = config.size, config.width, config.layers, config.dim
        self.stem = _stem(config)
        side = -(-config.size // 8)
        self.cls = nn.Parameter(torch.zeros(1, 1, config.width))
        self.position = nn.Parameter(torch.randn(1, 1 + side * side, config.width) * 0.02)
        self.blocks = nn.ModuleList(_Layer(config.width, config.heads, config.mlp) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.project = nn.Linear(config.width, config.dim, bias=False)

    def normalise(self, pixels: Tensor) -> Tensor:
        """Pictures [..., 3, S, S] in 0 to 1 as their greys, each of zero mean and unit deviation, on 3 channels.

        With colour they stay as they are but for the range, -1 to 1: what they are by their own light is for `tokens`.
        """
        return 2 * pixels - 1 if self.config.colour else standard_greys(pixels)

    def coloured(self) -> CompactVision:
        """The same tower reading colour: it makes of every picture what it did, until it learns otherwise."""
        if self.config.colour:
            return self
        tower = replace(self.config, colour=True).build()
        weights = self.state_dict()
        luma = weights[_FIRST].new_tensor((*_LUMA, 0.0)).view(1, 4, 1, 1)
        tower.load_state_dict({**weights, _FIRST: weights[_FIRST] * luma})
        return tower.train(self.training)

    def begin(self) -> None:
        """Have every branch beside a short way put out nothing, so that training begins with the shallowest network.

        After Goyal et al., "Accurate, Large Minibatch SGD" (arXiv 1706.02677), 5.1, for the layers as for the blocks.
        """
        for module in self.modules():
            if isinstance(module, _Residual):
                nn.init.zeros_(module.norm2.weight)
            elif isinstance(module, _Layer):
                for last in (module.out, module.down):
                    nn.init.zeros_(last.weight)
                    nn.init.zeros_(last.bias)

    def tokens(self, images: Tensor) -> Tensor:
        """What enters the first layer: [N, 1 + L, D], the class token first. No prompt reaches this far down."""
        shades = by_own_light(images) if self.config.colour else images[:, :1]
        x = self.stem(shades.contiguous(memory_format=torch.channels_last))
        x = x.flatten(2).transpose(1, 2)
        cls = self.cls + x.mean(1, keepdim=True) if self.config.pooled else self.cls.expand(len(x), -1, -1)
        return torch.cat([cls, x], dim=1) + self.position

    def grid(self, images: Tensor) -> Tensor:
        """What the stem sees before its last stage, a place for every four pixels: [N, stem[1], S / 4, S / 4].

        Of normalised images [N, 3, S, S]. It is finer than what enters the layers, and no prompt reaches it.
        """
        seen: Tensor = self.stem[: -1 - self.config.blocks[-1]](
            images[:, :1].contiguous(memory_format=torch.channels_last)
        )
        return seen

    def forward(self, images: Tensor, prompts: Prompts = (), *, after: After = "drop") -> Tensor:
        """Features [N, d] of normalised images [N, 3, S, S].

        `prompts[i]` is appended before layer i and what comes out at its places is dropped
        (DuSE, eqs. 4-5); layers beyond the last prompt run without any, or by `after` with the last outputs.
        """
        return self._features(last_of(self._steps(images, prompts, after)))

    def _features(self, tokens: Tensor) -> Tensor:
        features: Tensor = self.project(self.norm(tokens[:, 0]))
        return features

    def _steps(self, images: Tensor, prompts: Prompts, after: After) -> Iterator[Tensor]:
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.cls.requires_grad):
            # Frozen: prompts enter above the stem, so nothing below needs a gradient.
            x = self.tokens(images)
        return step_through(
            self.blocks, x, prompts, at=x.shape[1], after=after, recompute=self.recompute,
            run=lambda layer, y, _: layer(y),
        )  # fmt: skip


def _stem(config: CompactConfig) -> nn.Sequential:
    """Convolutions that bring a picture to an eighth of its side and to the transformer's width."""
    parts: list[nn.Module] = [nn.Conv2d(4 if config.colour else 1, config.entry, 3, config.entry_stride, 1, bias=False)]
    parts += [nn.BatchNorm2d(config.entry), nn.ReLU()]
    strides = (2 // config.entry_stride, 2, 2)
    for inputs, outputs, stride, blocks in zip(
        (config.entry, *config.stem), config.stem, strides, config.blocks, strict=False
    ):
        parts += [_Residual(inputs, outputs, stride), *(_Residual(None, outputs) for _ in range(blocks - 1))]
    return nn.Sequential(*parts, nn.Conv2d(config.stem[-1], config.width, 1))


def standard_greys(pixels: Tensor) -> Tensor:
    """The greys of pictures [..., 3, S, S], each of zero mean and unit deviation, on 3 channels."""
    grey = _greys(pixels)
    deviation, mean = torch.std_mean(grey, dim=(-2, -1), keepdim=True)
    return ((grey - mean) / (deviation + 0.02)).expand_as(pixels)


def by_own_light(pictures: Tensor) -> Tensor:
    """Pictures [N, 3, S, S] in -1 to 1 less the mean of their greys, over the deviation of those; beside it that mean.

    They come as [N, 4, S, S]; the greys of the first three channels are those of `standard_greys`.
    """
    deviation, mean = torch.std_mean(_greys(pictures), dim=(-2, -1), keepdim=True)
    return torch.cat([(pictures - mean) / (deviation + 0.04), mean.expand_as(pictures[:, :1])], 1)


def _greys(pixels: Tensor) -> Tensor:
    return (pixels * pixels.new_tensor(_LUMA).view(3, 1, 1)).sum(-3, keepdim=True)
