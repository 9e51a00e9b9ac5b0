"""The process of a `python` trigger: calls one function. A program: `python -P runner.py MODULE:FUNCTION ROOT RESULT`.

The arguments arrive on stdin as a JSON object. What the function returns is left in the file RESULT when it is JSON and
small. It ends with 0 when the function returned, 1 when it raised, and 2 when it cannot be called at all or raised an
exception that has `permanent = True`: trying that again cannot help.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

FAILED: Final = 1
HOPELESS: Final = 2
_LARGEST_RESULT: Final = 2048


def function_of(target: str, arguments: dict[str, Any]) -> Callable[..., Any]:
    """Import the function and see that it takes the arguments."""
    module, _, path = target.partition(":")
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    if not callable(found):
        raise TypeError(f"{target} is not callable")
    with contextlib.suppress(ValueError):  # some built-in functions have no signature to look at
        inspect.signature(found).bind(**arguments)
    return found  # type: ignore[no-any-return]  # callable() was asked, which mypy does not take for a type


def call(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """Call a function, plain or async, and return what it returns."""
    if inspect.iscoroutinefunction(function):
        import asyncio

        return asyncio.run(function(**arguments))
    return function(**arguments)


def keep(value: Any, path: str) -> None:
    """Leave a small JSON value for Interlock to read. Anything else is not worth failing for."""
    with contextlib.suppress(TypeError, ValueError, OSError, RecursionError):
        text = json.dumps(value, allow_nan=False)
        if value is not None and len(text) <= _LARGEST_RESULT:
            Path(path).write_text(text, encoding="utf-8")


def main() -> int:
    """Call the function named on the command line and return the exit status."""
    target, root, result = sys.argv[1:4]
    sys.path.insert(0, root)
    try:
        arguments = json.load(sys.stdin)
        function = function_of(target, arguments)
    except Exception:  # noqa: BLE001  (a module may raise anything while it is imported)
        traceback.print_exc()
        return HOPELESS
    try:
        keep(call(function, arguments), result)
    except Exception as exc:  # noqa: BLE001  (whatever it raised is how the job failed)
        traceback.print_exc()
        return HOPELESS if getattr(exc, "permanent", False) is True else FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
