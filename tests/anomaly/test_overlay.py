"""Heat over parts: in units of the threshold, the same colours everywhere, and as points that other programs read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mimica.anomaly.config import CifConfig, default, reference
from mimica.anomaly.detector import Detector
from mimica.anomaly.features.maker import make
from mimica.anomaly.overlay import coloured_ply, heated, seen_picture, warmth
from mimica.anomaly.samples import Sample
from mimica.anomaly.scans.ply import read_ply

Maker = Callable[..., Sample]
MAKERS = make("colour", "normals", side=112, cells=14)


def fitted(make_part: Maker, config: CifConfig, shots: int = 2) -> Detector:
    return Detector.fit([make_part(i) for i in range(shots)], MAKERS, replace(config, side=112, cells=14))


def test_warmth_is_heat_in_thresholds(make_part: Maker) -> None:
    detector = fitted(make_part, replace(default(), augmentations=1))
    finding = detector.score(make_part(50, "colour"))
    threshold = detector.calibration.threshold(detector.config.false_alarms)
    assert warmth(finding, detector) == pytest.approx(finding.heat / threshold)


def test_where_the_score_is_not_read_off_the_map_its_top_is_as_warm_as_the_score_is_high(make_part: Maker) -> None:
    detector = fitted(make_part, reference())
    finding = detector.score(make_part(50, "colour"))
    threshold = detector.calibration.threshold(detector.config.false_alarms)
    assert warmth(finding, detector).max() == pytest.approx(finding.score / threshold)


def test_without_a_threshold_the_hottest_pixel_is_two(make_part: Maker) -> None:
    detector = fitted(make_part, reference(), shots=1)
    assert warmth(detector.score(make_part(50)), detector).max() == pytest.approx(2)


def test_what_is_as_usual_keeps_its_colour_and_what_is_not_does_not() -> None:
    picture = np.full((1, 4, 3), 90, np.uint8)
    hot = heated(picture, np.array([[0.0, 0.75, 1.0, 9.0]]))
    assert (hot[0, :2] == 90).all()
    assert tuple(hot[0, 2]) == (172, 115, 45)
    assert tuple(hot[0, 3]) == (116, 11, 81)


def test_points_have_their_places_colours_and_heat_and_none_that_was_not_measured(
    make_part: Maker, tmp_path: Path
) -> None:
    sample = make_part(3)
    assert sample.rgb is not None
    assert sample.xyz is not None
    warm = np.arange(sample.size[0] * sample.size[1], dtype=np.float64).reshape(sample.size)
    data = coloured_ply(sample, sample.rgb, warm)
    (tmp_path / "part.ply").write_bytes(data)
    there = sample.measured
    cloud = read_ply(tmp_path / "part.ply", size=(int(there.sum()), 1))
    assert not there.all()
    assert (cloud.xyz[0] == sample.xyz[there]).all()
    assert cloud.rgb is not None
    assert (cloud.rgb[0] == sample.rgb[there]).all()
    assert np.frombuffer(data[-4:], "<f4")[0] == np.float32(warm[there][-1])


def test_a_part_without_colour_is_shown_by_its_shape(make_part: Maker) -> None:
    bare = replace(make_part(3, "dent"), rgb=None)
    picture = seen_picture(bare)
    assert picture.shape == (*bare.size, 3)
    measured = picture[bare.measured]
    assert (measured[:, 0] == measured[:, 1]).all()  # grey, and no rim of the truth
