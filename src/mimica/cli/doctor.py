"""`mimica doctor`: what this machine has, what is missing, and how to get it."""

from __future__ import annotations

from dataclasses import dataclass

_EXTRAS = {"clip": ("transformers",), "train": ("accelerate", "sklearn", "matplotlib"),
           "units": ("mediapipe",), "render": ("moderngl",),
           "anomaly": ("tifffile", "sklearn", "transformers", "yaml"), "generate": ("openai", "sklearn")}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor:
    """Check the installation: versions, devices, codecs, assets, models."""

    def run(self) -> int:
        """Print a line a finding; 1 if the main job would not work."""
        problems = [
            problem for check in (_versions, _devices, _codecs, _extras, _assets, _models) for problem in check()
        ]
        for problem in problems:
            print(f"problem: {problem}")
        print("ready to read" if not problems else f"{len(problems)} to mend")
        return int(bool(problems))


def _versions() -> list[str]:
    import platform
    from importlib.metadata import version

    print(f"python {platform.python_version()} on {platform.platform()}")
    print(", ".join(f"{name} {version(name)}" for name in ("mimica", "torch", "numpy", "av", "pyarrow", "plotly")))
    return []


def _devices() -> list[str]:
    import torch

    found = [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    found += ["mps"] if torch.backends.mps.is_available() else []
    print(f"devices: {', '.join(['cpu', *found])}; {torch.get_num_threads()} threads")
    return []


def _codecs() -> list[str]:
    import av

    missing = [name for name in ("h264", "hevc", "vp9") if name not in av.codecs_available]
    encoder = "libx264" in av.codecs_available
    print(f"codecs: libx264 {'present' if encoder else 'absent'}; FFmpeg {av.ffmpeg_version_info}")
    problems = [f"this build of av cannot decode {name}; reinstall av from a wheel" for name in missing]
    return problems + ([] if encoder else ["this build of av cannot write mp4; reinstall av from a wheel"])


def _extras() -> list[str]:
    from importlib.util import find_spec

    for extra, modules in _EXTRAS.items():
        missing = [module for module in modules if find_spec(module) is None]
        print(f"extra [{extra}]: " + (f"not installed; pip install 'mimica[{extra}]'" if missing else "installed"))
    return []


def _assets() -> list[str]:
    from mimica import assets

    states = {name: assets.check(name) for name in assets.ASSETS}
    print(f"assets in {assets.home() / 'assets'}: " + ", ".join(f"{n} {s}" for n, s in states.items()))
    if states["mtcnn"] == "present":
        return []
    return [f"the face detector's weights are {states['mtcnn']}; get them with: mimica assets fetch mtcnn"]


def _models() -> list[str]:
    import numpy as np

    from mimica.clips import Clip
    from mimica.errors import MimicaError
    from mimica.recognition.registry import list_models, load

    problems = []
    for name in list_models():
        try:
            model = load(name)
            faces = np.random.default_rng(0).integers(0, 255, (2, model.size, model.size, 3), dtype=np.uint8)
            clip = Clip(person=0, start=0.0, end=1.0, faces=faces, times=np.arange(2.0), quality=np.ones(2))
            total = float(model.probabilities([clip]).sum())
        except MimicaError as error:
            problems.append(f"the model {name} does not load: {error}")
            continue
        print(f"model {name}: reads windows of up to {model.frames} frames, faces of {model.size} pixels")
        if abs(total - 1) > 1e-4:
            problems.append(f"the model {name} gives probabilities that sum to {total:.3f}")
    return problems
