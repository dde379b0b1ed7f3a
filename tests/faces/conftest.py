import shutil
from collections.abc import Callable

import numpy as np
import pytest

from mimica import assets
from mimica.errors import AssetError


@pytest.fixture(scope="session")
def photo() -> Callable[[str], np.ndarray]:
    """A sample photo by its asset's name, uint8 [H, W, 3]; fails where the asset is not there."""
    from PIL import Image

    def opened(name: str) -> np.ndarray:
        try:
            return np.asarray(Image.open(assets.file(name)).convert("RGB"))
        except AssetError as error:
            pytest.fail(str(error))

    return opened


@pytest.fixture(scope="session")
def mtcnn(tmp_path_factory):
    """The default detector for faces from 40 pixels, as the wheel was run; fails where its weights are not there."""
    from mimica.faces.detect import load_detector

    try:
        found = assets.find("mtcnn")
    except AssetError as error:
        pytest.fail(str(error))
    home = tmp_path_factory.mktemp("home")
    (home / "assets" / "mtcnn").mkdir(parents=True)
    for name in assets.get("mtcnn").files:
        shutil.copy(found / name, home / "assets" / "mtcnn" / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIMICA_HOME", str(home))
        return load_detector(min_face=40)
