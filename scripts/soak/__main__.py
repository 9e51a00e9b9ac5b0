"""Let two servers live on one store for a while, with everybody at them at once, and check every guarantee from the store.

    python -m scripts.soak [--seconds 600] [--pipelines 50] [--seed 1] [--kill-every 45] [--store redis] [--restart-every 60]

Fifty pipelines open a slot a minute each. Their jobs are processes, and requests to a stub that calls back: late, twice, at
the wrong server. Meanwhile results are pushed, sensors counted up, runs asked for and rerun, by both servers' APIs, and now
and then one of the servers, or the store's, is killed and started again. At the end the store is read, and every law of
`judging` is held.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from time import monotonic

from scripts.soak.crowd import Crowd
from scripts.soak.judging import judge
from scripts.soak.project import Stub, make_project
from scripts.soak.servers import Servers
from scripts.soak.stores import KINDS, a_store


def main(arguments: list[str]) -> int:
    """Play, judge, and say what was found."""
    parser = argparse.ArgumentParser(prog="soak")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--pipelines", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kill-every", type=float, default=45, help="seconds between kills of a server; 0 is never")
    parser.add_argument("--store", choices=KINDS, default=KINDS[0])
    parser.add_argument("--restart-every", type=float, default=0, help="seconds between kills of the store's server")
    asked = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as folder,
        Stub(asked.seed) as stub,
        a_store(asked.store) as store,
    ):
        root = Path(folder)
        names = make_project(root, stub.url, asked.pipelines, store.lines)
        began = monotonic()
        with Servers(root, count=2) as servers:
            stub.servers = servers.urls
            crowd = Crowd(servers.urls, names, asked.seed)

            def trouble() -> None:
                servers.trouble(asked.kill_every, asked.seed)
                store.trouble(asked.restart_every)

            crowd.play(asked.seconds, trouble)
            servers.all_up()
            stub.settle()
            crowd.settle(root)
        evidence = judge(root, names, stub, crowd)
        kills = {"server kills": servers.kills, "store kills": store.kills}
        lasted = {"seconds": round(monotonic() - began)}
        for name, value in {**evidence.figures, **crowd.figures(), **kills, **lasted}.items():
            print(f"{name:24} {value}")
        for words in evidence.broken[:50]:
            print(f"BROKEN {words}")
        if evidence.broken:
            print("".join(servers.last_words()))
    return 1 if evidence.broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
