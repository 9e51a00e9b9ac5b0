"""The behaviours of the contract, as programs, as HTTP answers and as functions."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.unit.evaluators.servers import Seen

from interlock.testing.conformance.evaluators import Behaviour

ECHO = 'import json,sys\njson.dump({"status":"PASS","value":json.load(sys.stdin)}, sys.stdout)\n'


def as_program(behaviour: Behaviour, folder: Path) -> None:
    """Write the program `check` that behaves so."""
    match behaviour:
        case Behaviour.MISSING:
            return
        case Behaviour.ECHO:
            text = f"#!{sys.executable} -S\n{ECHO}"
        case Behaviour.CRASH:
            text = "#!/bin/bash\nkill -SEGV $$\n"
        case Behaviour.HANGS:
            text = "#!/bin/bash\nsleep 600\n"
        case _:
            text = f"#!/bin/bash\ncat <<'END'\n{behaviour.value}\nEND\n"
    path = folder / "check"
    path.write_text(text)
    path.chmod(0o755)


def as_reply(behaviour: Behaviour, seen: Seen) -> tuple[int, dict[str, str], bytes]:
    """Return what a server that behaves so answers."""
    match behaviour:
        case Behaviour.MISSING:
            return 404, {}, b"not found"
        case Behaviour.ECHO:
            return 200, {}, json.dumps({"status": "PASS", "value": json.loads(seen.body)}).encode()
        case Behaviour.CRASH:
            return 500, {}, b"internal error"
        case _:
            return 200, {}, behaviour.value.encode()


def as_module(behaviour: Behaviour, folder: Path, name: str) -> None:
    """Write a module with a function `check` that behaves so."""
    match behaviour:
        case Behaviour.MISSING:
            return
        case Behaviour.ECHO:
            body = 'return {"status": "PASS", "value": asked}'
        case Behaviour.CRASH:
            body = "return 1 / 0"
        case Behaviour.HANGS:
            body = "import threading; threading.Event().wait(3)"
        case Behaviour.TWICE:
            body = 'return {"status": "FAIL", "reason": 1}'  # a dict cannot hold a key twice
        case _:
            body = f"import json; return json.loads({behaviour.value!r})"
    (folder / f"{name}.py").write_text(f"def check(asked):\n    {body}\n")
