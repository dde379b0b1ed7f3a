from __future__ import annotations

from pathlib import Path

import numpy as np

from drawn import alone, folder
from mimica.reading.behind import Behind
from mimica.video.read import open_video


def test_the_frame_of_a_scene_is_the_last_one_that_is_not_later(tmp_path: Path) -> None:
    images = alone(4)
    with open_video(folder(tmp_path / "scene", images), frame_rate=10) as video:
        behind = Behind(video)
        asked = [behind.at(time) for time in (0.0, 0.1, 0.25, 0.25, 9.0)]
    assert all(np.array_equal(seen, images[i]) for seen, i in zip(asked, (0, 1, 2, 2, 3), strict=True))
