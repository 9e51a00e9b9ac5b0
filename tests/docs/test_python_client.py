"""The reference of the Python clients is what their docstrings say."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from tests.docs.samples import ROOT
from tests.unit.client.test_parity import BLOCKING


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("client_page", ROOT / "scripts/client_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_docstrings_say() -> None:
    script = _script()
    assert script.PAGE.read_text() == script.page(), "run scripts/client_page.py"


def test_every_verb_is_on_the_page() -> None:
    text = _script().page()
    assert [name for name in BLOCKING if f"### `client.{name}`" not in text] == []
