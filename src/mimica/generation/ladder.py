"""From one photo to clips of one expression at several strengths: what `mimica augment generate` writes.

surprise-0.6.mp4   a clip for each intensity
surprise-0.6.json  where it comes from: photo, plan, generator, seed
surprise.png       the clips as strips, one below the other

T frames, A units, S side in pixels.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mimica import __version__
from mimica.errors import InputError, UsageError, unknown
from mimica.generation.alignment import align
from mimica.generation.diffusion.settings import Sampling
from mimica.generation.plan import Plan, plan
from mimica.generation.settings import TOKENS, PlanSettings
from mimica.generation.write import put
from mimica.labels import EXPRESSIONS

if TYPE_CHECKING:
    from mimica.generation.diffusion.policy import Policy

FPS = 8.0
SYNTHETIC = "a synthetic clip, made by a generator from a still; it shows nothing that anyone did or felt"
PREVIEW = (
    "a preview: the tiny generator has 48 pixels and learned from drawn faces alone; "
    "for clips to train on use --backend wan on a GPU"
)
_MARGIN = {"tiny": 0.15}
"""How much wider than a detector's box the still is cut; faces that the tiny generator learned from fill theirs."""
_ROOM = 0.9
"""The same for generators that learned from films: head, hair and shoulders."""
_ENLARGED = 4
"""How much larger than its frames a clip of the tiny generator is written: video keeps colour at half the pixels."""
_NAMED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """A face cut out of a photo: `image` uint8 [S, S, 3], its `box` [4] in the photo, how many `faces` that shows."""

    image: np.ndarray
    box: np.ndarray
    faces: int
    sha256: str


def cut_face(photo: Path, *, size: int, margin: float) -> Still:
    """The largest face of a photo as a square picture. Raises InputError for no picture, and for one without a face."""
    from mimica.faces.crop import face_view
    from mimica.faces.detect import load_detector
    from mimica.video.pictures import read_picture

    image, *_ = read_picture(photo)
    faces = load_detector().detect([image])[0]
    if not faces:
        raise InputError(f"{photo} shows no face; give a photo in which one face is seen whole and from the front")
    largest = max(faces, key=lambda face: face.size)
    digest = hashlib.sha256(photo.read_bytes()).hexdigest()
    cut = face_view(image, largest.box, size=size, margin=margin)
    return Still(image=cut, box=largest.box, faces=len(faces), sha256=digest)


def planned(label: str, intensities: Sequence[float], *, units: Sequence[int], frames: int, seed: int) -> list[Plan]:
    """The plan of a class at each intensity, by what FACS says alone.

    Raises UsageError for a class or unit that is not known, for units that exclude each other, for no intensity.
    """
    if not intensities:
        raise UsageError("name an intensity or several, above 0 and at most 1, with --intensity")
    known, settings = align([], [], EXPRESSIONS), PlanSettings(frames=frames, fps=FPS, seed=seed)
    if label not in EXPRESSIONS:
        raise unknown("class", label, EXPRESSIONS.names)
    label = EXPRESSIONS.names[EXPRESSIONS.index(label)]
    whole = plan(known, label, units=units, settings=settings)
    return [whole.scaled(intensity) for intensity in dict.fromkeys(intensities)]


def write_ladder(
    photo: Path,
    out: Path,
    *,
    label: str,
    intensities: Sequence[float],
    units: Sequence[int] = (),
    frames: int = 17,
    sampling: Sampling,
    device: str = "cpu",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Path]:
    """Generate a clip of the photo's largest face for each intensity, and write what the top of this file lists.

    All begin with the same noise, so that they differ by intensity alone. A clip that is there already with the same
    provenance is kept. Raises UsageError, InputError or AssetError in one sentence each, before anything is written.
    """
    from mimica.generation.diffusion.backends import open_tuned

    planned(label, intensities, units=units, frames=max(frames, 9), seed=sampling.seed)
    policy = open_tuned(sampling, device=device)
    made = policy.frames(frames)
    plans = planned(label, intensities, units=units, frames=made, seed=sampling.seed)
    still = cut_face(photo, size=policy.size, margin=_MARGIN.get(sampling.backend, _ROOM))
    generator = policy.state()  # once, for it reads every weight
    clips, shown = [], {}
    for number, one in enumerate(plans):
        name = f"{one.label.replace(' ', '-')}-{max(one.strengths.values(), default=0.0):g}"
        facts = _facts(generator, one, still, photo, sampling)
        path = out / f"{name}.mp4"
        clips.append(path)
        shown[name] = _made(policy, one, still, sampling, facts, path)
        progress(number + 1, len(plans))
    save_strips(out / f"{plans[0].label.replace(' ', '-')}.png", shown)
    return clips


def _facts(generator: Mapping[str, Any], one: Plan, still: Still, photo: Path, sampling: Sampling) -> dict[str, Any]:
    preview = {"note": PREVIEW} if sampling.backend == "tiny" else {}
    how, guidance = sampling.how
    return {
        "what": SYNTHETIC, **preview, "mimica": __version__, "synthetic": True, "label": one.label, "plan": one.facts(),
        "photo": {"name": photo.name, "sha256": still.sha256, "box": [round(float(edge), 1) for edge in still.box]},
        "generator": generator, "fps": FPS,
        "sampling": asdict(sampling)
        | {"steps": how.steps, "guidance": guidance.weight, "adapter": sampling.adapter and str(sampling.adapter)},
    }  # fmt: skip


def _made(policy: Policy, one: Plan, still: Still, sampling: Sampling, facts: dict[str, Any], path: Path) -> np.ndarray:
    """The frames uint8 [T, S, S, 3] of one clip: generated and written, or read where it is there already."""
    from mimica.video.read import open_video

    stated, beside = json.loads(json.dumps(facts)), path.with_suffix(".json")
    if path.is_file() and _stated(beside) == stated:
        with open_video(path) as video:
            return np.stack([frame.image for frame in video])
    frames = _generated(policy, one, still, sampling)
    if sampling.backend == "tiny":
        frames = enlarged(frames, _ENLARGED)
    film(path, frames)
    put(beside, json.dumps(stated, indent=1, ensure_ascii=False) + "\n")
    return frames


def _stated(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _generated(policy: Policy, one: Plan, still: Still, sampling: Sampling) -> np.ndarray:
    import torch

    from mimica.generation.pool import frames_of
    from mimica.generation.sampling import sample
    from mimica.generation.template import from_template

    image = torch.from_numpy(still.image.copy()).permute(2, 0, 1)[None].float() / 255
    curves, frames = torch.from_numpy(one.curves())[None].float(), one.settings.frames
    words, (how, guidance) = [from_template(one, tokens_at_most=TOKENS[sampling.backend]).text()], sampling.how
    try:
        with torch.no_grad():
            condition = policy.condition(image, curves=curves, prompts=words, frames=frames)
            noise = policy.noise(condition, torch.Generator().manual_seed(sampling.seed))
        clip = sample(policy, condition, noise, sampling=how, guidance=guidance)[0]
    except (MemoryError, torch.OutOfMemoryError):
        raise UsageError(
            f"{frames} frames by {sampling.backend} need more memory than there is; take fewer with --frames, "
            f"{policy.frames(1)} at the least; clips that are finished are kept"
        ) from None
    return frames_of(clip)


def enlarged(frames: np.ndarray, times: int) -> np.ndarray:
    """Frames uint8 [T, S, S, 3] so many times as large."""
    from PIL import Image

    side = frames.shape[1] * times
    return np.stack([np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BICUBIC)) for one in frames])


def film(path: Path, frames: np.ndarray) -> None:
    """Frames uint8 [T, H, W, 3] as a video of 8 a second."""
    from mimica.video.write import VideoWriter

    _, H, W, _ = frames.shape
    with VideoWriter(path, width=W, height=H, rate=FPS) as video:
        for number, frame in enumerate(frames):
            video.write(frame, number / FPS)


def save_strips(path: Path, clips: Mapping[str, np.ndarray]) -> None:
    """Clips, frames uint8 [T, S, S, 3] each by its name, as strips of a PNG that says that they are synthetic.

    Raises InputError where it cannot be written.
    """
    from PIL import Image, ImageDraw, ImageFont
    from PIL.PngImagePlugin import PngInfo

    from mimica.data.whole import whole

    side, longest = 96, max(len(frames) for frames in clips.values())
    sheet = Image.new("RGB", (_NAMED + side * longest, side * len(clips)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
    for row, (name, frames) in enumerate(clips.items()):
        pen.text((6, row * side + side // 2 - 8), name, fill="black", font=font)
        for t, frame in enumerate(frames):
            picture = Image.fromarray(frame).resize((side, side), Image.Resampling.BICUBIC)
            sheet.paste(picture, (_NAMED + t * side, row * side))
    stated = PngInfo()
    stated.add_text("Description", SYNTHETIC)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as beside:
            sheet.save(beside, format="PNG", pnginfo=stated)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}; choose another place with --out") from None
