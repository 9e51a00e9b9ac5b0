"""Write the verbs of the asynchronous client out of those of the blocking one.

Both are what people read in their editor, so both stand in files; that they are the same, a test makes sure of by writing
them once more. `scripts/async_client.py` writes, `scripts/async_client.py --check` only says what differs.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCE: Final = ROOT / "src/interlock/client/verbs"
TARGET: Final = ROOT / "src/interlock/client/aio_verbs"
RUFF: Final = str(Path(sys.executable).with_name("ruff"))

NOTE: Final = "# Written by scripts/async_client.py out of {source}: change that one, and run it again.\n"
CHANGES: Final = (
    (r"\bfrom interlock\.client\.verbs\.", "from interlock.client.aio_verbs."),
    (r"\bAsking\b", "AsyncAsking"),
    (r"^class (\w+)", r"class Async\1"),
    (r"^(    )def (?!__|iter)", r"\1async def "),
    (r"\bpages\b", "async_pages"),
    (r"\b(return|=) self\.((?:_client\.)?\w+\()", r"\1 await self.\2"),
    (r"\bIterator\b", "AsyncIterator"),
)


def twin(name: str, source: str) -> str:
    """Return the asynchronous twin of a module of verbs."""
    for pattern, change in CHANGES:
        source = re.sub(pattern, change, source, flags=re.MULTILINE)
    return _formatted(NOTE.format(source=f"src/interlock/client/verbs/{name}") + source)


def _formatted(source: str) -> str:
    for command in (("check", "--select=I", "--fix-only", "--quiet"), ("format",)):
        done = subprocess.run(
            [RUFF, *command, f"--stdin-filename={TARGET / 'twin.py'}", "-"],
            input=source,
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        source = done.stdout
    return source


def twins() -> Iterator[tuple[Path, str]]:
    """Yield each file of the asynchronous client with what it should hold."""
    for path in sorted(SOURCE.glob("*.py")):
        text = path.read_text()
        yield TARGET / path.name, twin(path.name, text) if text else ""


def main(arguments: list[str]) -> int:
    wanted = dict(twins())
    stray = [path for path in TARGET.glob("*.py") if path not in wanted]
    wrong = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if "--check" not in arguments:
        for path in wrong:
            path.write_text(wanted[path])
        for path in stray:
            path.unlink()
        return 0
    for path in (*wrong, *stray):
        print(f"{path.relative_to(ROOT)} is not the twin of the blocking client: run scripts/async_client.py")
    return 1 if wrong or stray else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
