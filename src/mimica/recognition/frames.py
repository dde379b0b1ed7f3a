"""Frames that are in several clips, encoded once: what a network saw of each is kept until it is let go.

B clips, T frames, S side in pixels, N frames that were not seen before, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mimica.clips import Clip
from mimica.errors import InputError
from mimica.recognition.model import NO_SCENE, EncodesFrames, Recogniser, mean_by_name

_Key = tuple[int | None, float]
"""Whose face or scene, and when in seconds; None for a scene that is the same for everyone."""

_Kept = dict[_Key, tuple[dict[str, Tensor], ...]]
"""What was seen of each frame by name, a look each: as it is, and mirrored where that is read too."""


class KeptFrames:
    """Reads the clips of one source; frames that were in an earlier clip are not encoded again.

    Frames are known by person and time, and each is kept until `forget`. A network whose frames depend on their
    clip is asked as ever, and nothing is kept for it.
    """

    def __init__(self, recogniser: Recogniser) -> None:
        self.recogniser = recogniser
        self._faces: _Kept = {}
        self._scenes: _Kept = {}

    def __len__(self) -> int:
        """How many faces and scenes are kept."""
        return len(self._faces) + len(self._scenes)

    def views(self, clips: Sequence[Clip]) -> dict[str, np.ndarray]:
        """Probabilities [B, C] by view, to rounding those that `Recogniser.views` gives."""
        network = self.recogniser.network
        if not isinstance(network, EncodesFrames):
            return self.recogniser.views(clips)
        scenes = [clip.scenes for clip in clips if clip.scenes is not None]
        if len(scenes) < len(clips):
            raise InputError(NO_SCENE)
        when: list[list[float]] = [clip.times.tolist() for clip in clips]
        whose = [[(clip.person, time) for time in times] for clip, times in zip(clips, when, strict=True)]
        behind = whose if network.hides_face else [[(None, time) for time in times] for times in when]
        lengths = torch.tensor([len(times) for times in when])
        valid = (torch.arange(int(lengths.max())) < lengths[:, None]).to(self.recogniser.device)
        with torch.inference_mode():
            of_faces = self._looks(self._faces, network.of_faces, whose, [clip.faces for clip in clips])
            of_scenes = self._looks(self._scenes, network.of_scenes, behind, scenes)
            found = [network.views_of({**a, **b}, valid) for a, b in zip(of_faces, of_scenes, strict=True)]
            return self.recogniser.calibrated(mean_by_name(found), clips)

    def forget(self, before: float) -> None:
        """Let go of the frames before a time in seconds: no clip that is still to come has them."""
        for kept in (self._faces, self._scenes):
            for key in [key for key in kept if key[1] < before]:
                del kept[key]

    def _looks(
        self,
        kept: _Kept,
        encode: Callable[[Tensor], dict[str, Tensor]],
        keys: Sequence[Sequence[_Key]],
        pictures: Sequence[np.ndarray],
    ) -> list[dict[str, Tensor]]:
        """What is seen of the frames of clips, by name [B, T, ...], a look each; only new frames are encoded."""
        new = {
            key: picture
            for of, shown in zip(keys, pictures, strict=True)
            for key, picture in zip(of, shown, strict=True)
            if key not in kept
        }
        if new:
            shown = self.recogniser.pictures(np.stack(list(new.values())))
            seen = [encode(look) for look in ([shown, shown.flip(-1)] if self.recogniser.mirrored else [shown])]
            for i, key in enumerate(new):
                # A copy, for a view of one frame would hold all that were encoded with it.
                kept[key] = tuple({name: of[i].clone() for name, of in look.items()} for look in seen)
        clips = [[kept[key] for key in of] for of in keys]
        return [
            {name: pad_sequence([torch.stack([seen[look][name] for seen in clip]) for clip in clips], batch_first=True)
             for name in clips[0][0][look]}
            for look in range(1 + self.recogniser.mirrored)
        ]  # fmt: skip
