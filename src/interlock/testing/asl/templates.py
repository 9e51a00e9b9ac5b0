"""Payload templates and expressions, compiled once into functions of a scope."""

from __future__ import annotations

from typing import Any

from interlock.testing.asl.failures import Unsupported
from interlock.testing.asl.intrinsics import compile_call
from interlock.testing.asl.paths import Path, Reader, Scope


def expression(text: str) -> Reader:
    """Compile what may stand behind a key that ends in `.$`: a path or an intrinsic function."""
    return Path(text) if text.startswith("$") else compile_call(text)


def template(value: Any) -> Reader:
    """Compile a template: objects and arrays are walked, keys that end in `.$` are replaced, all else stays as it is."""
    if isinstance(value, dict):
        return _object(value)
    if isinstance(value, list):
        return _array(value)
    return lambda _scope: value


def _object(value: dict[str, Any]) -> Reader:
    parts: list[tuple[str, Reader]] = []
    for key, inner in value.items():
        if not key.endswith(".$"):
            parts.append((key, template(inner)))
        elif isinstance(inner, str):
            parts.append((key[:-2], expression(inner)))
        else:
            raise Unsupported(f"'{key}' needs a path or an intrinsic function")
    if len({key for key, _ in parts}) != len(parts):
        raise Unsupported(f"one field stands twice among {sorted(value)}")

    def build(scope: Scope) -> dict[str, Any]:
        return {key: reader(scope) for key, reader in parts}

    return build


def _array(value: list[Any]) -> Reader:
    parts = [template(inner) for inner in value]

    def build(scope: Scope) -> list[Any]:
        return [reader(scope) for reader in parts]

    return build
