from __future__ import annotations

from pathlib import Path

import pytest

from mimica.encoders.clip import load_clip
from mimica.encoders.towers import DualEncoder


@pytest.fixture(scope="session")
def clip(tiny_clip: Path) -> DualEncoder:
    return load_clip(str(tiny_clip))
