"""`interlock serve`: watching, noticing, telling and answering, in one real process."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.cli import PIPELINE, a_project, a_script, interlock, starts
from tests.acceptance.living import PATIENCE, Living, Stub, until
from tests.acceptance.serving import Server, free_port, serving

pytestmark = [pytest.mark.enable_socket, pytest.mark.slow, pytest.mark.timeout(150)]


def runs(server: Server, name: str = "orders") -> list[dict[str, Any]]:
    reply = server.ask(f"/api/pipelines/{name}/runs")
    assert reply.status == 200, (reply, server.said)
    found: list[dict[str, Any]] = reply.document
    return found


def completed(server: Server, name: str = "orders") -> bool:
    return [run["status"] for run in runs(server, name)] == ["COMPLETED"]


def test_a_freshly_made_project_is_served_and_runs_its_example_by_itself(tmp_path: Path) -> None:
    assert interlock("init", "fresh", cwd=tmp_path).code == 0
    with serving(tmp_path / "fresh") as server:
        server.ready()
        until(lambda: completed(server, "example"))
        assert server.ask("/api/health").document == {"status": "ok"}
        assert server.end() == 0
    assert "completed example:daily:" in server.said
    assert "nothing is left half done" in server.said


def test_where_the_address_is_taken_nothing_is_started(tmp_path: Path) -> None:
    """T-69. A slot that is due at once is not opened: the store is not even made."""
    root = a_project(tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        said = interlock("serve", "--addr", f"127.0.0.1:{other.getsockname()[1]}", cwd=root)
    assert said.code == 75
    assert "something else does already; nothing was started" in said.err
    assert len(said.err.splitlines()) == 1
    assert starts(root) == []
    assert not (root / ".interlock" / "interlock.db").exists()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("--addr", "nonsense"), "is not an address"),
        (("--addr", "192.0.2.1:3000", "--allow-public"), "nothing was started"),
        (("--addr", "0.0.0.0:0"), "there is no API key"),
    ],
)
def test_what_cannot_be_listened_at_is_one_clear_error(tmp_path: Path, argv: tuple[str, ...], words: str) -> None:
    """T-71."""
    root = a_project(tmp_path)
    said = interlock("serve", *argv, cwd=root)
    assert (said.code, words in said.err) == (2, True), said.err
    assert not (root / ".interlock" / "interlock.db").exists()


def test_a_certificate_that_is_missing_is_told_before_anything_is_started(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    with (root / "interlock.yaml").open("a") as file:
        file.write("server: {tls: {certFile: cert.pem, keyFile: key.pem}}\n")
    said = interlock("serve", "--addr", "127.0.0.1:0", cwd=root)
    assert (said.code, "server.tls cannot be used" in said.err) == (2, True), said.err
    assert starts(root) == []


def test_a_server_for_everybody_can_be_wanted(tmp_path: Path) -> None:
    port = free_port()
    with serving(a_project(tmp_path), "--allow-public", "--addr", f"0.0.0.0:{port}", port=port) as server:
        server.ready()
        assert server.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_stop_lets_a_start_end_and_leaves_in_order(
    tmp_path: Path, number: signal.Signals
) -> None:
    root = a_project(tmp_path, job="sleep 1")
    with serving(root) as server:
        server.ready()
        until(lambda: starts(root) == ["1"])
        assert server.end(number) == 0, server.said
        assert "nothing is left half done" in server.said
    with serving(root, port=server.port) as again:  # at once, and on the same port
        again.ready()
        until(lambda: completed(again))
    assert starts(root) == ["1"]


def test_a_request_under_way_is_answered_although_the_server_is_told_to_stop(tmp_path: Path) -> None:
    root = a_project(tmp_path, check="touch asked; sleep 60")
    with serving(root, "--no-watcher") as server:
        server.ready()
        found: list[int] = []
        asking = threading.Thread(
            target=lambda: found.append(server.ask("/api/pipelines/orders/evaluate", "POST", {}).status)
        )
        asking.start()
        until((root / "asked").exists)
        assert server.end() == 0, server.said
        asking.join(PATIENCE)
    assert found == [200]  # the question was broken off, which is an answer: it says ERROR


@contextmanager
def hanging(root: Path) -> Iterator[socket.socket]:
    """Make a project whose job is started by somebody who never answers."""
    with socket.socket() as hung, Stub() as stub:
        hung.bind(("127.0.0.1", 0))
        hung.listen()
        hung.settimeout(PATIENCE)
        living = Living(root, stub)
        living.pipeline()
        living.all_good()
        file = root / "pipelines" / "orders.yaml"
        file.write_text(file.read_text().replace(stub.url, f"http://127.0.0.1:{hung.getsockname()[1]}"))
        yield hung


def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    with hanging(tmp_path) as hung, serving(tmp_path, "--grace", "10m") as server:
        server.ready()
        start, _ = hung.accept()
        with start:
            os.kill(server.process.pid, signal.SIGTERM)
            until(lambda: server.status_of("/livez") == 0)
            assert server.end() == 143, server.said
    assert "told twice to stop" in server.said


def test_what_does_not_end_within_the_grace_is_left(tmp_path: Path) -> None:
    with hanging(tmp_path) as hung, serving(tmp_path, "--grace", "1s") as server:
        server.ready()
        start, _ = hung.accept()
        with start:
            assert server.end() == 143, server.said
    assert "not everything ended within" in server.said


def test_a_request_that_does_not_end_within_the_grace_is_left(tmp_path: Path) -> None:
    with hanging(tmp_path) as hung, serving(tmp_path, "--grace", "1s", "--no-watcher") as server:
        server.ready()
        connection = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        connection.request("POST", "/api/pipelines/orders/run", "{}", {"content-type": "application/json"})
        start, _ = hung.accept()
        with start:
            assert server.end() == 143, server.said
        connection.close()


@pytest.mark.timeout(200)  # a claim that a killed server left behind is waited for until its call is surely over
def test_a_server_that_is_killed_anywhere_loses_no_slot_and_starts_no_job_twice(tmp_path: Path) -> None:
    """T-60: the same law as for the watcher alone."""
    root = a_project(tmp_path, job="sleep 0.1")
    names = [f"p-{number}" for number in range(5)]
    for name in names:
        (root / "pipelines" / f"{name}.yaml").write_text(
            PIPELINE.replace("orders", name).replace("./job", f"./job-{name}")
        )
        a_script(root / f"job-{name}", f'echo "{name}:$INTERLOCK_ATTEMPT" >> started\nsleep 0.1')
    dice = random.Random(11)
    for _ in range(3):
        with serving(root) as server:
            until(lambda server=server: server.status_of("/livez") == 200)  # type: ignore[misc]
            threading.Event().wait(dice.uniform(0.0, 0.5))
    with serving(root) as server:
        server.ready()
        until(lambda: all(completed(server, name) for name in names), lambda: server.said, within=150)
    assert sorted(line for line in starts(root) if line != "1") == sorted(f"{name}:1" for name in names)


def test_two_servers_on_one_store_start_every_job_once_and_tell_each_other_s_news(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    names = [f"p-{number}" for number in range(6)]
    for name in names:
        (root / "pipelines" / f"{name}.yaml").write_text(
            PIPELINE.replace("orders", name).replace("./job", f"./job-{name}")
        )
        a_script(root / f"job-{name}", f'echo "{name}:$INTERLOCK_ATTEMPT" >> started')
    with serving(root) as one, serving(root) as two:
        one.ready()
        two.ready()
        until(lambda: all(completed(two, name) for name in names))
        assert {run["runId"] for name in names for run in runs(one, name)} == {
            run["runId"] for name in names for run in runs(two, name)
        }
        until(lambda: [peer["alive"] for peer in one.ask("/readyz").document["peers"]] == [2, 2])
        assert (one.end(), two.end()) == (0, 0)
    assert sorted(line for line in starts(root) if line != "1") == sorted(f"{name}:1" for name in names)


def test_what_a_command_beside_it_writes_is_told_to_those_who_listen(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    with serving(root) as server:
        server.ready()
        until(lambda: completed(server))
        connection = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        connection.request("GET", "/api/stream?pipeline=orders&kinds=PIPELINE_PAUSED,RUN_OPENED")
        stream = connection.getresponse()
        assert stream.status == 200
        while b"connected" not in stream.readline():
            pass
        assert interlock("pause", "orders", "--for", "1h", "--reason", "a test", cwd=root).code == 0
        line = b""
        while not line.startswith(b"data: "):
            line = stream.readline()
        assert json.loads(line.removeprefix(b"data: "))["kind"] == "PIPELINE_PAUSED"
        assert server.end() == 0, server.said  # the listener does not hold it up
        assert stream.read() is not None
        connection.close()


def test_a_server_whose_store_is_gone_is_not_ready_and_says_so(tmp_path: Path) -> None:
    """T-92."""
    root = a_project(tmp_path)
    with serving(root) as server:
        server.ready()
        store = root / ".interlock" / "interlock.db"
        store.rename(store.with_suffix(".away"))
        until(lambda: server.status_of("/readyz") == 503)
        assert server.ask("/api/health").document == {"status": "degraded"}
        assert server.status_of("/livez") == 200
        bad = [check["name"] for check in server.ask("/readyz").document["checks"] if not check["ok"]]
        assert "store" in bad
        store.with_suffix(".away").rename(store)
        server.ready()


def test_a_server_without_a_watcher_opens_nothing_and_follows_the_files(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    with serving(root, "--no-watcher", "--no-watchdog") as server:
        server.ready()
        assert [check["name"] for check in server.ask("/readyz").document["checks"]] == [
            "store",
            "configuration",
            "draining",
        ]
        (root / "pipelines" / "returns.yaml").write_text(PIPELINE.replace("orders", "returns"))
        os.kill(server.process.pid, signal.SIGHUP)
        until(lambda: len(server.ask("/api/pipelines").document) == 2)
        assert server.end() == 0
    assert starts(root) == []


def test_files_that_change_are_followed_by_the_server_and_its_watcher(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    with serving(root) as server:
        server.ready()
        (root / "pipelines" / "returns.yaml").write_text(PIPELINE.replace("orders", "returns"))
        os.kill(server.process.pid, signal.SIGHUP)
        until(lambda: server.status_of("/api/pipelines/returns") == 200 and completed(server, "returns"))


def test_an_http_job_is_told_where_to_report_and_its_report_ends_the_run(tmp_path: Path) -> None:
    """T-98."""
    port = free_port()
    with Stub() as stub:
        living = Living(tmp_path, stub)
        with (tmp_path / "interlock.yaml").open("a") as file:
            file.write(f"server: {{publicUrl: 'http://127.0.0.1:{port}'}}\n")
        living.pipeline()
        living.all_good()
        with serving(tmp_path, port=port) as server:
            server.ready()
            until(lambda: stub.asked)
            headers = {name.lower(): value for name, value in stub.asked[0]["headers"].items()}
            path = headers["x-interlock-callback-url"].removeprefix(f"http://127.0.0.1:{port}")
            until(lambda: [run["status"] for run in runs(server)] == ["RUNNING"])
            assert server.ask(path, "POST", {"status": "success"}).status == 200
            assert completed(server)


def test_connections_that_say_nothing_and_bodies_that_do_not_end_keep_nobody_waiting(tmp_path: Path) -> None:
    with serving(a_project(tmp_path)) as server:
        server.ready()
        idle = [socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) for _ in range(1_000)]
        slow = [socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) for _ in range(100)]
        try:
            for each in slow:
                each.sendall(b"POST /api/pipelines/orders/evaluate HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
            for _ in range(20):
                assert server.ask("/api/pipelines/orders/readiness").status == 200
        finally:
            for each in (*idle, *slow):
                each.close()
        assert server.end() == 0, server.said
