"""The ways to draw the actor: by formula, or a face of ICT-FaceKit; and what a folder of clips says of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from mimica.data import actor, render
from mimica.data.actor import ActorClips
from mimica.data.actor_settings import ActorSettings

_LABELS = "They show the prototypes of FACS, plainer than any real face; figures on them say nothing of people."


def _nothing(clips: Any, i: int) -> list[str]:
    return []


def _apart(clips: Any, i: int) -> list[str]:
    """Clip `i`'s pose, gaze and lids, a column each, frame by frame."""
    columns = [*clips.pose[i].T.tolist(), *clips.gaze[i].T.tolist(), clips.blink[i].tolist()]
    return [" ".join(f"{value:.2f}" for value in column) for column in columns]


@dataclass(frozen=True, slots=True, kw_only=True)
class Render:
    """How clips are made, what is said of them, and what more than the actor's own columns their table has.

    `ready` raises what stands in the way before anything is written. `columns` are the names of those columns
    and what they say, `values` gives them for a clip.
    """

    ready: Callable[[], object]
    clips: Callable[..., ActorClips]
    reversed_pairs: Callable[..., ActorClips]
    how: str
    what: str
    licence: str
    columns: Mapping[str, str]
    values: Callable[[Any, int], list[str]]


RENDERS = MappingProxyType(
    {
        "formula": Render(
            ready=lambda: None,
            clips=actor.clips,
            reversed_pairs=actor.reversed_pairs,
            how="drawn by formula",
            what="Synthetic clips of faces, drawn by formula with `mimica data actor`: no photograph, no person, and "
            f"nothing made from one. {_LABELS}",
            licence="Apache-2.0, as the code that draws them",
            columns=MappingProxyType({}),
            values=_nothing,
        ),
        "ict": Render(
            ready=render.ready,
            clips=render.clips,
            reversed_pairs=render.reversed_pairs,
            how="rendered from a face model",
            what="Synthetic clips of faces, rendered with `mimica data actor --render ict` from the face model of "
            "ICT-FaceKit: no photograph and no person; shapes of heads are mixtures that its authors learned from "
            f"scans. {_LABELS}",
            licence="Apache-2.0, as the code that renders them; the face model is ICT-FaceKit's, MIT (USC ICT, 2020)",
            columns=MappingProxyType(
                {
                    "yaw": "degrees that the head is turned to its left, frame by frame",
                    "pitch": "degrees that it is turned up",
                    "roll": "degrees that it leans to its right",
                    "gaze_left": "degrees that the eyes look to the head's left",
                    "gaze_up": "degrees that they look up",
                    "blink": "how far the lids are closed by a blink, 0 to 1",
                }
            ),
            values=_apart,
        ),
    }
)
"""Every way to draw the actor, by the name that the settings have for it."""


def render_of(settings: ActorSettings) -> Render:
    """The way that settings ask for."""
    return RENDERS[settings.render]
