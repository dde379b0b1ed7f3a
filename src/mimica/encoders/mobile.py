"""MobileNetV2 (arXiv 1801.04381) on small grey faces: a teacher of the compact encoder, never shipped.

N pictures, S side in pixels, d joint dimension. It begins with what ImageNet taught it and so learns more
from few faces than a tower that begins at random; it takes no prompts and is too slow to read with.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from mimica.checkpoint import fill_from_torchvision
from mimica.encoders.teacher import Teacher, TeacherConfig

ASSET = "mobilenet-v2"


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileConfig(TeacherConfig):
    """The shape of this teacher."""

    def build(self) -> MobileVision:
        """A tower of this shape, its weights random."""
        return MobileVision(self)


class MobileVision(Teacher):
    """A MobileNetV2; `begin` gives it the weights of ImageNet."""

    architecture = "mobile"

    def __init__(self, config: MobileConfig | None = None) -> None:
        from transformers import MobileNetV2Config, MobileNetV2Model

        config = config or MobileConfig()
        super().__init__(config)
        shape = MobileNetV2Config(image_size=config.enlarged, tf_padding=False, layer_norm_eps=1e-5)
        self.body = MobileNetV2Model(shape, add_pooling_layer=False)
        for part in self.body.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.momentum = 0.1  # the library's 0.997 is TensorFlow's, which counts from the other end
        self.ends_in(1280)

    def begin(self) -> None:
        """Take over the weights that torchvision trained on ImageNet. Raises AssetError without the asset.

        Raises CheckpointError where its file is another network's.
        """
        fill_from_torchvision(self.body, ASSET)

    def seen(self, x: Tensor) -> Tensor:
        """The last map [N, 1280, E / 32, E / 32] of enlarged faces [N, 3, E, E]."""
        found: Tensor = self.body(x).last_hidden_state
        return found
