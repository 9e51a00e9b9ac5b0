"""Everybody who is at the servers at once: pushing, counting, asking, running again, looking."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from time import monotonic
from typing import Final

from scripts.soak.calling import Answer, call
from scripts.soak.stores import looked_at

from interlock.core.runs import SUCCEEDED
from interlock.stores.repository import Repository

PEOPLE: Final = 6
_ENDS_WITHIN: Final = 150.0


class Crowd:
    """Asks at random, and remembers what was acknowledged. `counted` are the increments that a server took."""

    def __init__(self, urls: Sequence[str], names: Sequence[str], seed: int) -> None:
        self._urls = urls
        self._names = names
        self._seed = seed
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.answers: Counter[str] = Counter()
        self.counted: Counter[str] = Counter()
        self.faults: list[str] = []

    def play(self, seconds: float, meanwhile: Callable[[], None]) -> None:
        """Be at it for a while."""
        people = [threading.Thread(target=self._person, args=(number,), daemon=True) for number in range(PEOPLE)]
        for person in people:
            person.start()
        ends = monotonic() + seconds
        while monotonic() < ends:
            meanwhile()
            self._over.wait(0.5)
        self._over.set()
        for person in people:
            person.join(60)

    def _person(self, number: int) -> None:
        dice = Random(f"{self._seed}/{number}")
        turn = 0
        while not self._over.is_set():
            turn += 1
            self._act(dice, f"{number}-{turn}")
            self._over.wait(dice.uniform(0.02, 0.3))

    def _act(self, dice: Random, name: str) -> None:
        base, pipeline = dice.choice(self._urls), dice.choice(self._names)
        of = f"{base}/api/pipelines/{pipeline}"
        draw = dice.random()
        if draw < 0.35 and pipeline.startswith("pushed"):
            status = dice.choice(("PASS", "PASS", "FAIL"))
            self._ask("push", "POST", f"{of}/traits/landed", {"status": status, "ttl": dice.randint(5, 30)})
        elif draw < 0.5 and pipeline.startswith("counted"):
            self._count(base, pipeline, name, dice)
        elif draw < 0.6:
            self._ask("evaluate", "POST", f"{of}/evaluate", {})
        elif draw < 0.7:
            self._ask("run", "POST", f"{of}/run", {})
        elif draw < 0.75:
            self._again(of, dice)
        elif draw < 0.77:
            self._ask("unknown", "GET", f"{base}/api/pipelines/nobody-{name}/readiness", wanted=(404,))
        else:
            what = dice.choice(("readiness", "runs", "traits", "events?limit=20", "runlogs", "status", "why"))
            self._ask("look", "GET", f"{of}/{what}")

    def _count(self, base: str, pipeline: str, name: str, dice: Random) -> None:
        body = {"field": "count", "by": 1, "deliveryId": name}
        for _ in range(40):
            answer = call("POST", f"{base}/api/pipelines/{pipeline}/sensors/rows/increment", body)
            if answer.status == 200:
                with self._lock:
                    self.counted[pipeline] += 1
                    self.answers["count 200"] += 1
                return
            self._note("count", answer, (200, 0, 503, 429))
            base = dice.choice(self._urls)  # the answer may have been lost: the delivery's id makes it count once
            self._over.wait(0.2)
        with self._lock:
            self.faults.append(f"the count {name} of {pipeline} never got through")

    def _again(self, of: str, dice: Random) -> None:
        runs = call("GET", f"{of}/runs")
        if runs.status == 200 and runs.body:
            run = dice.choice(runs.body)
            body = {"originalDate": run["date"], "reason": "soak", "metadata": {"scheduleId": run["scheduleId"]}}
            self._ask("rerun", "POST", f"{of}/rerun", body)

    def _ask(
        self,
        what: str,
        method: str,
        url: str,
        body: object = None,
        wanted: Sequence[int] = (200, 201, 202, 404, 409, 412),
    ) -> None:
        # 404: a trait or a decision that is not there yet; 429 and 503 are honest; 0: a server was killed meanwhile.
        self._note(what, call(method, url, body), (*wanted, 429, 503, 0))

    def _note(self, what: str, answer: Answer, wanted: Sequence[int]) -> None:
        with self._lock:
            self.answers[f"{what} {answer.status}"] += 1
            if answer.status not in wanted:
                self.faults.append(f"{what} was answered with {answer.status}: {answer.body}")

    def settle(self, root: Path) -> None:
        """Push what is missing, until nothing that was opened before now is under way."""
        ends = monotonic() + _ENDS_WITHIN
        while monotonic() < ends and self._under_way(root):
            for name in self._names:
                if name.startswith("pushed"):
                    call("POST", f"{self._urls[0]}/api/pipelines/{name}/traits/landed", {"status": "PASS", "ttl": 60})
            threading.Event().wait(2)

    def _under_way(self, root: Path) -> bool:
        with looked_at(root) as kernel:
            store = Repository(kernel)
            # What opened in the last moments goes on; a soak never stands still.
            active = [run for key in store.active_runs(limit=1000) if (run := store.run(key)) is not None]
            return any(run.status not in SUCCEEDED and run.key.number > 1 for run in active) or len(active) > 60

    def figures(self) -> dict[str, object]:
        """Return how often what was answered how."""
        return {**dict(sorted(self.answers.items())), "increments taken": sum(self.counted.values())}
