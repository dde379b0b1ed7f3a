from __future__ import annotations

from typing import Any

import pytest

from mimica.data.faces_settings import FacesSettings
from mimica.errors import UsageError
from mimica.faces.crop import FER_MARGIN
from mimica.faces.quality import LOW


def test_faces_are_as_wide_and_as_good_as_predict_has_them() -> None:
    assert FacesSettings().margin == FER_MARGIN
    assert FacesSettings().min_quality == LOW


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"size": 15}, "size must be 16 to 1024 pixels, got 15"),
        ({"size": 1025}, "size must be 16 to 1024"),
        ({"margin": -1.0}, "margin is a fraction"),
        ({"margin": float("nan")}, "margin is a fraction"),
        ({"fps": 0.0}, "fps must be a number above 0"),
        ({"fps": float("inf")}, "fps must be a number above 0"),
        ({"min_face": 11.0}, "min-face must be 12 pixels or more, got 11"),
        ({"min_frames": 0}, "min-frames must be 1 or more"),
        ({"min_quality": 60.0}, "min-quality must be from 0 to 1, got 60"),
        ({"keep": "best"}, "keep is largest or all"),
        ({"format": "gif"}, "format is jpg or png"),
    ],
)
def test_what_cannot_be_is_a_sentence(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        FacesSettings(**wrong)
