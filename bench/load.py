"""Asks a server on this machine as fast as it answers: `python -m bench.load`, in a process of its own.

It reads one JSON object from stdin (see `Asked`), and prints one (see `Answered`). Connections stay open; each asks its next
question when it has the whole answer to the last.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from time import perf_counter

import msgspec


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask: connection n asks for `paths[n % len(paths)]`."""

    port: int
    connections: int
    seconds: float
    method: str
    paths: tuple[str, ...]
    body: str = ""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: answers per second, and how long one took, in milliseconds.

    `refused` is the share of those that were told to come again later, and did after a twentieth of a second.
    """

    per_second: float
    refused: float
    p50: float
    p99: float
    failed: int


def ask(asked: Asked) -> Answered:
    """Have a process of its own ask."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"], input=msgspec.json.encode(asked), stdout=subprocess.PIPE, check=True
    )
    return msgspec.json.decode(done.stdout, type=Answered)


async def _asking(asked: Asked) -> Answered:
    took: list[float] = []
    failed: list[bytes] = []
    refused: list[bytes] = []
    began = perf_counter()
    ends = began + asked.seconds
    await asyncio.gather(*(_caller(asked, number, ends, took, failed, refused) for number in range(asked.connections)))
    span = perf_counter() - began
    took.sort()
    if failed:
        sys.stderr.write(f"{len(failed)} of {len(took)} answers failed, such as {failed[0][:300]!r}\n")
    return Answered(
        per_second=len(took) / span,
        refused=len(refused) / (len(took) + len(refused)),
        p50=1000 * took[len(took) // 2],
        p99=1000 * took[min(len(took) - 1, len(took) * 99 // 100)],
        failed=len(failed),
    )


async def _caller(
    asked: Asked, number: int, ends: float, took: list[float], failed: list[bytes], refused: list[bytes]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", asked.port)
    path = asked.paths[number % len(asked.paths)]
    body = asked.body.encode()
    more = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    wire = f"{asked.method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}\r\n".encode() + body
    while (began := perf_counter()) < ends:
        writer.write(wire)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        answer = await reader.readexactly(length)
        if head.startswith(b"HTTP/1.1 429"):
            refused.append(answer)
            await asyncio.sleep(0.05)
            continue
        took.append(perf_counter() - began)
        if not head.startswith(b"HTTP/1.1 2"):
            failed.append(head + answer)
    writer.close()


if __name__ == "__main__":
    sys.stdout.buffer.write(
        msgspec.json.encode(asyncio.run(_asking(msgspec.json.decode(sys.stdin.buffer.read(), type=Asked))))
    )
