"""Reading values in several threads of a process that has just begun."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

CODE: Final = """
import threading
from interlock.codec import wire
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import Run
from interlock.ports.stores import Entry

gate = threading.Barrier(9)

def read(kind):
    gate.wait()
    for _ in range(20):
        try:
            wire.from_builtins({}, kind)
        except ValueError:
            pass

readers = [threading.Thread(target=read, args=(kind,)) for kind in (Run, PipelineSpec, Entry) * 3]
for reader in readers:
    reader.start()
for reader in readers:
    reader.join()
"""


def test_threads_that_read_the_first_values_of_a_process_at_once_do_not_break_it() -> None:
    """A watcher that had just begun died of it."""
    for _ in range(5):
        assert subprocess.run([sys.executable, "-c", CODE], check=False, timeout=60).returncode == 0
