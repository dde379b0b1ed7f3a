"""The three networks of MTCNN and their weights, as the `mtcnn` wheel ships them.

K. Zhang et al., Joint Face Detection and Alignment using Multi-task Cascaded Convolutional
Networks, 2016, arXiv 1604.02878. The wheel holds arrays that joblib pickled and LZ4 packed: they
are read by an unpickler that knows arrays and nothing else, after their sha256 was checked, and
kept as safetensors beside them.

Axes: B pictures, H rows and W columns of a picture, C channels, N crops. Networks read RGB scaled
by `normalised`; every max pooling rounds up, as in Caffe, where the networks come from.
"""

from __future__ import annotations

import contextlib
import io
import math
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from mimica import assets
from mimica.errors import AssetError

_LAYOUT = "1"
_COPY = "mtcnn.safetensors"


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    """Pixels 0 to 255 as the networks were trained on them: -1 to 1."""
    return (pixels.float() - 127.5) / 128


class PNet(nn.Module):
    """Where a face may be: looks at every window of 12 px, 2 px apart."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 10, 3), nn.PReLU(10), nn.MaxPool2d(2, 2, ceil_mode=True),
            nn.Conv2d(10, 16, 3), nn.PReLU(16),
            nn.Conv2d(16, 32, 3), nn.PReLU(32),
        )  # fmt: skip
        self.box = nn.Conv2d(32, 4, 1)
        self.face = nn.Conv2d(32, 2, 1)

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """From pictures [B, 3, H, W] box corrections [B, 4, h, w] in fractions of a window, probabilities [B, h, w]."""
        features = self.body(pictures)
        return self.box(features), self.face(features).softmax(dim=1)[:, 1]


class RNet(nn.Module):
    """Which candidates are no face after all: looks at crops of 24 px."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 28, 3), nn.PReLU(28), nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Conv2d(28, 48, 3), nn.PReLU(48), nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Conv2d(48, 64, 2), nn.PReLU(64),
            nn.Flatten(), nn.Linear(64 * 3 * 3, 128), nn.PReLU(128),
        )  # fmt: skip
        self.box = nn.Linear(128, 4)
        self.face = nn.Linear(128, 2)

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """From crops [N, 3, 24, 24] box corrections [N, 4] in fractions of a crop and probabilities [N]."""
        features = self.body(crops)
        return self.box(features), self.face(features).softmax(dim=1)[:, 1]


class ONet(nn.Module):
    """The last word, and the landmarks: looks at crops of 48 px."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 32, 3), nn.PReLU(32), nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Conv2d(32, 64, 3), nn.PReLU(64), nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Conv2d(64, 64, 3), nn.PReLU(64), nn.MaxPool2d(2, 2, ceil_mode=True),
            nn.Conv2d(64, 128, 2), nn.PReLU(128),
            nn.Flatten(), nn.Linear(128 * 3 * 3, 256), nn.PReLU(256),
        )  # fmt: skip
        self.box = nn.Linear(256, 4)
        self.points = nn.Linear(256, 10)
        self.face = nn.Linear(256, 2)

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """From crops [N, 3, 48, 48] box corrections [N, 4], landmarks [N, 5, 2] and probabilities [N].

        Landmarks are fractions of the crop: left eye, right eye, nose, left and right mouth corner as seen.
        """
        features = self.body(crops)
        points = self.points(features).unflatten(1, (2, 5)).transpose(1, 2)
        return self.box(features), points, self.face(features).softmax(dim=1)[:, 1]


class Cascade(nn.Module):
    """P-Net, R-Net and O-Net under one roof."""

    def __init__(self) -> None:
        super().__init__()
        self.pnet, self.rnet, self.onet = PNet(), RNet(), ONet()


def cascade() -> Cascade:
    """The three networks with the weights of the asset `mtcnn`, ready to run.

    Raises AssetError where the asset is missing, altered or holds anything but arrays.
    """
    folder = assets.find("mtcnn")
    stamp = {**assets.get("mtcnn").files, "layout": _LAYOUT}
    nets = Cascade()
    kept = _read_copy(folder / _COPY, stamp)
    if kept is not None and _fits(nets, kept):
        nets.load_state_dict(kept)
    else:
        converted: dict[str, torch.Tensor] = {}
        for name, net in nets.named_children():
            for key, tensor in _converted(_arrays(folder / f"{name}.lz4"), net).items():
                converted[f"{name}.{key}"] = tensor
        nets.load_state_dict(converted)
        _write_copy(folder / _COPY, converted, stamp)
    nets.requires_grad_(False).eval()
    return nets.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _fits(net: nn.Module, tensors: Mapping[str, torch.Tensor]) -> bool:
    wanted = {key: value.shape for key, value in net.state_dict().items()}
    return wanted == {key: value.shape for key, value in tensors.items()}


def _read_copy(path: Path, stamp: Mapping[str, str]) -> dict[str, torch.Tensor] | None:
    """The tensors kept from an earlier run, or None where there are none or they came from other files."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            if file.metadata() != dict(stamp):
                return None
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        return None


def _write_copy(path: Path, tensors: dict[str, torch.Tensor], stamp: Mapping[str, str]) -> None:
    from safetensors.torch import save

    part = path.with_name(path.name + ".part")
    # The copy only saves time: a cache that cannot be written to is no reason to fail.
    with contextlib.suppress(OSError):
        part.write_bytes(save(tensors, metadata=dict(stamp)))
        part.replace(path)


def _converted(arrays: list[np.ndarray], net: nn.Module) -> dict[str, torch.Tensor]:
    """Keras' arrays, in Keras' order, as the parameters of a network that declares its layers in that order."""
    wanted = net.state_dict()
    if len(arrays) != len(wanted):
        raise AssetError(f"the weights of {type(net).__name__} hold {len(arrays)} arrays, not {len(wanted)}")
    made = {key: _as_torch(array, like) for (key, like), array in zip(wanted.items(), arrays, strict=True)}
    if not _fits(net, made):
        raise AssetError(f"the weights of {type(net).__name__} are not of the shapes of its layers")
    return made


def _as_torch(array: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    tensor = torch.from_numpy(array.copy())
    if tensor.ndim == 4:
        return tensor.permute(3, 2, 0, 1).contiguous()
    if tensor.ndim == 3:
        return tensor.flatten()
    if tensor.ndim == 2:
        inputs, outputs = tensor.shape
        if inputs % 9 == 0 and outputs == like.shape[0]:
            # The layer after the 3 x 3 features: the wheel flattens them column by column, channels last.
            tensor = tensor.reshape(3, 3, inputs // 9, outputs).permute(2, 1, 0, 3).reshape(inputs, outputs)
        return tensor.T.contiguous()
    return tensor


def _arrays(path: Path) -> list[np.ndarray]:
    """The list of arrays in one packed file of the wheel."""
    import lz4.frame

    try:
        arrays = _ArraysOnly(io.BytesIO(lz4.frame.decompress(path.read_bytes()))).load()
    except AssetError:
        raise
    except Exception as error:  # a damaged stream raises nearly anything; all of it means the same
        raise AssetError(f"{path} does not hold packed arrays ({type(error).__name__}: {error})") from None
    if not isinstance(arrays, list) or not all(isinstance(array, np.ndarray) for array in arrays):
        raise AssetError(f"{path} does not hold a list of arrays")
    return arrays


class _Packed:
    """Stands for joblib's note that an array's bytes follow in the stream."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    order: str
    numpy_array_alignment_bytes: int | None = None

    def read(self, stream: io.BytesIO) -> np.ndarray:
        if self.dtype.kind != "f" or self.order != "C":
            raise AssetError(f"an array of type {self.dtype} and order {self.order} has no place in these weights")
        if self.numpy_array_alignment_bytes is not None:
            stream.seek(stream.read(1)[0], io.SEEK_CUR)
        wanted = math.prod(self.shape) * self.dtype.itemsize
        data = stream.read(wanted)
        if len(data) != wanted:
            raise AssetError("the weights end in the middle of an array")
        return np.frombuffer(data, dtype=self.dtype).reshape(self.shape)


_KNOWN: Mapping[tuple[str, str], Any] = {
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): _Packed,
    ("numpy", "ndarray"): object,
    ("numpy", "dtype"): np.dtype,
}


class _ArraysOnly(pickle._Unpickler):
    """Reads lists of arrays as joblib pickles them; any other class or function is refused.

    It is Python's own unpickler, not the C one, because an array's bytes stand in the stream
    between two instructions, and only the former leaves the stream exactly there.
    """

    stack: list[Any]
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self._stream = stream

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise AssetError(f"the weights ask for {module}.{name}; only arrays are read") from None

    def build(self) -> None:
        """An array's note is complete: put the array itself in its place."""
        pickle._Unpickler.dispatch[pickle.BUILD[0]](self)  # type: ignore[arg-type]
        if isinstance(self.stack[-1], _Packed):
            self.stack[-1] = self.stack[-1].read(self._stream)

    dispatch[pickle.BUILD[0]] = build
