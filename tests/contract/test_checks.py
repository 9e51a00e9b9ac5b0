"""Checks that run inside Interlock keep the promises of the port; the suite that outsiders use is run on one of ours."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from interlock.evaluators.builtin.files import FileFreshness, FilesConfig
from interlock.testing.conformance.checks import CheckContract
from interlock.testing.conformance.contexts import a_check_context


class Files:
    def __init__(self, root: Path) -> None:
        self._root = root
        (root / "orders.csv").write_text("1\n")

    def check(self, **config: object) -> FileFreshness:
        return FileFreshness(msgspec.convert(config, FilesConfig), a_check_context(self._root))

    def good(self) -> FileFreshness:
        return self.check(path="orders.csv", minBytes=2)

    def bad(self) -> FileFreshness:
        return self.check(path="orders.csv", minBytes=3)

    def blind(self) -> FileFreshness:
        return self.check(path="${env:NOT_ALLOWED}/*.csv")


class TestFileFreshness(CheckContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Files:
        return Files(tmp_path)
