"""Write the reference of the Python clients out of their docstrings.

`scripts/client_page.py` writes docs/reference/python-client.md; with `--check` it only says whether that would change it.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from interlock.client.client import Client
from interlock.client.gating import GateRun
from interlock.client.verbs.alerting import Alerts, Silences
from interlock.client.verbs.controlling import Controlling
from interlock.client.verbs.gating import Gating
from interlock.client.verbs.judging import Judging
from interlock.client.verbs.looking import Looking
from interlock.client.verbs.registering import Pipelines
from interlock.client.verbs.rerunning import Rerunning
from interlock.client.verbs.running import Running
from interlock.client.verbs.sensing import Sensors

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs/reference/python-client.md"

HEAD: Final = """\
# The Python clients

<!-- Written by scripts/client_page.py out of the docstrings: change those, and run it again. -->

`interlock.Client` blocks; `interlock.AsyncClient` has the same verbs to `await` (those that begin with `iter`, and `stream`,
are for `async for`; `gate` is for `async with`). How they are used:
[Use Interlock from Python](../how-to/use-from-python.md).

Answers are frozen values with the fields of [JSON output](json-output.md), written `like_this`; `interlock.to_dict(answer)`
is the JSON object itself. A verb that lists has `limit` and `cursor`, and its answer `items` and `next`; the verb that
begins with `iter` goes through all pages. `client.ask(request)` sends any request of `interlock.api`.

Every call may raise `ServerUnavailable`, `Unauthorized`, `NotAllowed`, `Busy` and `Invalid` beside what is named here.
"""

GROUPS: Final[tuple[tuple[str, str, type], ...]] = (
    ("The client", "client", Client),
    ("The gate", "client", Gating),
    ("What a gate's block may use", "run", GateRun),
    ("Verdicts and traits", "client", Judging),
    ("Runs", "client", Running),
    ("Reruns, replays and backfills", "client", Rerunning),
    ("Looking", "client", Looking),
    ("Holding and releasing", "client", Controlling),
    ("Sensors", "client.sensors", Sensors),
    ("Alerts", "client.alerts", Alerts),
    ("Silences", "client.silences", Silences),
    ("Pipelines, archetypes, calendars", "client.pipelines", Pipelines),
)


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for title, prefix, kind in GROUPS:
        parts.append(f"\n## {title}\n")
        if kind is Client:
            parts.append(
                f"\n### `Client`\n\n{_call('Client', Client.__init__, 'Client')}\n{_prose(inspect.getdoc(Client) or '')}\n"
            )
        parts += [_verb(f"{prefix}.{name}", function) for name, function in _own(kind)]
    return "".join(parts)


def _own(kind: type) -> Iterator[tuple[str, Any]]:
    for name, found in vars(kind).items():
        if not name.startswith("_") and (inspect.isfunction(found) or isinstance(found, property)):
            yield name, found


def _verb(name: str, found: Any) -> str:
    text = _prose(inspect.getdoc(found) or "")
    if isinstance(found, property):
        return f"\n### `{name}`\n\n{text}\n"
    returns = inspect.signature(found).return_annotation
    return f"\n### `{name}`\n\n{_call(name, found, returns)}\n{text}\n"


def _call(name: str, function: Callable[..., Any], returns: str) -> str:
    parameters = list(inspect.signature(function).parameters.values())[1:]
    parts: list[str] = []
    for each in parameters:
        if each.kind is each.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        stars = "**" if each.kind is each.VAR_KEYWORD else ""
        default = "" if each.default is each.empty else f" = {each.default!r}"
        parts.append(f"{stars}{each.name}: {each.annotation}{default}")
    line = f"{name}({', '.join(parts)}) -> {returns}"
    if len(line) > 100:
        inner = "".join(f"    {part},\n" for part in parts)
        line = f"{name}(\n{inner}) -> {returns}"
    return f"```text\n{line}\n```\n"


def _prose(doc: str) -> str:
    """Turn a docstring's sections into Markdown."""
    lines: list[str] = []
    section = ""
    for line in doc.splitlines():
        if heading := re.fullmatch(r"(Args|Raises|Yields):", line):
            section = heading[1]
            lines += [f"**{ {'Args': 'Arguments'}.get(section, section) }**", ""]
        elif section and (item := re.fullmatch(r"    ([\w, ]+): (.*)", line)):
            lines.append(f"- `{item[1].replace(', ', '`, `')}`: {item[2]}")
        elif section and line.startswith("        "):
            lines.append(f"  {line.strip()}")
        else:
            lines.append(line.strip() if section else line)
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    wanted = page()
    if "--check" in arguments:
        if PAGE.exists() and PAGE.read_text() == wanted:
            return 0
        print(f"{PAGE.relative_to(ROOT)} is not what the docstrings say: run scripts/client_page.py")
        return 1
    PAGE.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
