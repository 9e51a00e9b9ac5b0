"""What holds for every test."""

from __future__ import annotations

import signal

import pytest

pytest_plugins = ["tests.servers.fixtures", "tests.servers.aws_fixtures", "tests.aws.lab.fixtures"]


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    """Let Ctrl-C mean what it does on a terminal: whoever runs the suite in the background has it ignored by all children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
