"""Distributions of other people, laid down as an installer leaves them: a package, and what it registers."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from interlock import plugins

STORE = """\
from msgspec import Struct
from interlock.errors import StoreEmpty
from interlock.stores.memory import MemoryKernel


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    place: str
    password: str = ""
    replicas: int = 1
    tags: dict[str, list[str]] = {}


class Store:
    Config = Config
    opened = []

    def __init__(self, config, context):
        self.config, self.context = config, context
        if config.place == "nowhere":
            raise ValueError("there is no place nowhere")

    def open(self, *, read_only):
        self.opened.append((self.config, self.context.root, read_only))
        if self.config.place == "new" and read_only:
            raise StoreEmpty("nothing is there yet")
        if self.config.place == "broken":
            raise OSError(f"refused with {self.config.password}")
        return object() if self.config.place == "hollow" else MemoryKernel()

    def named(self):
        return f"the shelf {self.config.place} of {self.config.password}"
"""


def lay_down(
    site: Path, name: str, registers: Mapping[str, Mapping[str, str]], modules: Mapping[str, str] | None = None
) -> Path:
    """Install a distribution: `registers` are its entry points by group, `modules` its files. Return the directory."""
    site.mkdir(parents=True, exist_ok=True)
    for module, text in (modules or {}).items():
        (site / module).write_text(text)
    about = site / f"{name.replace('-', '_')}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n")
    groups = (
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items())
        for group, entries in registers.items()
    )
    (about / "entry_points.txt").write_text("\n".join(groups))
    return site


class Installed:
    """A place for distributions that this process can import from."""

    def __init__(self, site: Path) -> None:
        self._site = site

    def __call__(
        self, name: str, registers: Mapping[str, Mapping[str, str]], modules: Mapping[str, str] | None = None
    ) -> None:
        """Install one more."""
        lay_down(self._site, name, registers, modules)
        importlib.invalidate_caches()
        plugins._entry_points.cache_clear()

    def store(self, name: str = "shelf", text: str = STORE) -> None:
        """Install a distribution `acme-NAME` with one store."""
        self(f"acme-{name}", {"interlock.stores": {name: f"acme_{name}:Store"}}, {f"acme_{name}.py": text})


@contextmanager
def installing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    """Let distributions be installed, and forget them at the end."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    try:
        yield Installed(tmp_path / "site")
    finally:
        plugins._entry_points.cache_clear()
        for module in set(sys.modules) - before:
            if module.startswith("acme"):
                del sys.modules[module]
