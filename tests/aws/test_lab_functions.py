"""The laboratory's Lambda: handlers run in processes of their own, and fail as they do on AWS."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from botocore.config import Config
from tests.aws.lab.functions import SOURCE, Function, FunctionFailed, Functions, Refused
from tests.servers.aws_errors import failure
from tests.servers.base import ServerMissing, until
from tests.servers.fixtures import missing

pytestmark = [pytest.mark.service, pytest.mark.enable_socket]

HANDLERS = """
import os, pathlib, subprocess, time

class BlueMoon(Exception):
    pass

turns = 0

def tells(event, context):
    global turns
    turns += 1
    return {"event": event, "turn": turns, "pid": os.getpid(), "name": context.function_name,
            "left": context.get_remaining_time_in_millis(), "colour": os.environ.get("COLOUR")}

def fails(event, context):
    raise BlueMoon("once")

def dies(event, context):
    os._exit(3)

def lingers(event, context):
    child = subprocess.Popen(["sleep", "600"])
    pathlib.Path(event["note"]).write_text(f"{os.getpid()} {child.pid}")
    time.sleep(600)

def meets(event, context):
    mine, other = map(pathlib.Path, event)
    mine.touch()
    while not other.exists():
        time.sleep(0.005)
    return os.getpid()

def counts(event, context):
    from interlock.version import __version__
    import msgspec
    return msgspec.json.encode(__version__).decode()
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("handlers")
    (folder / "handlers.py").write_text(HANDLERS)
    return folder


@pytest.fixture
def functions() -> Iterator[Functions]:
    try:
        made = Functions()
    except ServerMissing as exc:
        missing("awslambdaric", exc)
        raise
    with made:
        yield made


@pytest.fixture
def client(functions: Functions) -> Iterator[Any]:
    client = boto3.client(
        "lambda",
        endpoint_url=functions.url,
        region_name="eu-central-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    yield client
    client.close()


def kind_of(call: Callable[[], object]) -> str:
    with pytest.raises(FunctionFailed) as caught:
        call()
    return caught.value.kind


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_handler_is_given_its_event_its_context_and_its_environment(functions: Functions, here: Path) -> None:
    functions.add(Function("tells", "handlers.tells", [here], {"COLOUR": "blue"}, timeout=7))
    told = functions.invoke("tells", {"a": [1, None]})
    assert (told["event"], told["name"], told["colour"]) == ({"a": [1, None]}, "tells", "blue")
    assert 5000 < told["left"] <= 7000


def test_a_process_stays_warm_until_it_is_cooled(functions: Functions, here: Path) -> None:
    functions.add(Function("tells", "handlers.tells", [here]))
    first, second = functions.invoke("tells", 1), functions.invoke("tells", 2)
    assert (second["pid"], second["turn"]) == (first["pid"], 2)
    functions.cool("tells")
    assert is_gone(first["pid"])
    assert functions.invoke("tells", 3)["turn"] == 1


def test_an_exception_is_reported_by_its_class(functions: Functions, here: Path, client: Any) -> None:
    functions.add(Function("fails", "handlers.fails", [here]))
    answer = client.invoke(FunctionName="fails", Payload=b"{}")
    with answer["Payload"] as body:
        report = json.loads(body.read())
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert (report["errorType"], report["errorMessage"]) == ("BlueMoon", "once")
    assert "handlers.py" in "".join(report["stackTrace"])
    assert "BlueMoon: once" in functions.said("fails")


def test_a_process_that_dies_is_an_error_and_the_next_invocation_has_another(functions: Functions, here: Path) -> None:
    functions.add(Function("dies", "handlers.dies", [here]))
    for _ in range(2):
        with pytest.raises(FunctionFailed, match="exit status 3") as caught:
            functions.invoke("dies", None)
        assert caught.value.kind == "Runtime.ExitError"
    assert functions.warm("dies") == []


def test_a_timeout_ends_the_process_and_whatever_it_has_started(
    functions: Functions, here: Path, tmp_path: Path
) -> None:
    functions.add(Function("lingers", "handlers.lingers", [here], timeout=1.0))
    note = tmp_path / "note"
    with pytest.raises(FunctionFailed, match=r"Task timed out after 1\.00 seconds") as caught:
        functions.invoke("lingers", {"note": str(note)})
    assert caught.value.kind == "Sandbox.Timedout"
    until(lambda: all(is_gone(int(pid)) for pid in note.read_text().split()), "both processes are gone")


def test_a_handler_that_cannot_be_imported_says_so_each_time(functions: Functions, here: Path) -> None:
    functions.add(Function("nowhere", "nowhere.handler", [here]))
    assert kind_of(lambda: functions.invoke("nowhere", 1)) == "Runtime.ImportModuleError"
    assert kind_of(lambda: functions.invoke("nowhere", 1)) == "Runtime.ImportModuleError"


def test_as_many_invocations_are_handled_at_once_as_there_are_workers(
    functions: Functions, here: Path, tmp_path: Path
) -> None:
    functions.add(Function("meets", "handlers.meets", [here], workers=2))
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    with ThreadPoolExecutor(2) as threads:
        pids = set(threads.map(lambda event: functions.invoke("meets", event), [[one, other], [other, one]]))
    assert sorted(pids) == functions.warm("meets")
    assert len(pids) == 2


def test_more_invocations_than_workers_wait_for_each_other(functions: Functions, here: Path) -> None:
    functions.add(Function("tells", "handlers.tells", [here], workers=1))
    with ThreadPoolExecutor(4) as threads:
        told = list(threads.map(lambda event: functions.invoke("tells", event), range(8)))
    assert len({each["pid"] for each in told}) == 1
    assert sorted(each["turn"] for each in told) == list(range(1, 9))


def test_a_function_is_throttled_as_often_as_was_said(functions: Functions, here: Path, client: Any) -> None:
    functions.add(Function("tells", "handlers.tells", [here]))
    functions.throttle("tells", 2)
    assert failure(lambda: client.invoke(FunctionName="tells")) == ("TooManyRequestsException", 429)
    with pytest.raises(Refused, match="TooManyRequestsException"):
        functions.invoke("tells", None)
    assert functions.invoke("tells", "third")["turn"] == 1
    assert [call.event for call in functions.calls_of("tells")] == ["third"]


def test_an_event_is_accepted_first_and_handled_then(functions: Functions, here: Path, client: Any) -> None:
    functions.add(Function("fails", "handlers.fails", [here]))
    accepted = client.invoke(FunctionName="fails", InvocationType="Event", Payload=b'{"a": 1}')
    functions.settle()
    assert (accepted["StatusCode"], accepted.get("FunctionError")) == (202, None)
    assert [(call.event, call.error) for call in functions.calls_of("fails")] == [({"a": 1}, "BlueMoon")]


@pytest.mark.parametrize(
    ("name", "payload", "refusal"),
    [
        ("arn:aws:lambda:eu-central-1:123456789012:function:other", b"{}", ("ResourceNotFoundException", 404)),
        ("tells", b"not json", ("InvalidRequestContentException", 400)),
        ("tells", b'"' + b"x" * 6 * 1024 * 1024 + b'"', ("RequestTooLargeException", 413)),
    ],
    ids=["unknown", "unreadable", "too large"],
)
def test_what_lambda_does_not_accept_reaches_no_function(
    functions: Functions, here: Path, client: Any, name: str, payload: bytes, refusal: tuple[str, int]
) -> None:
    functions.add(Function("tells", "handlers.tells", [here]))
    assert failure(lambda: client.invoke(FunctionName=name, Payload=payload)) == refusal
    assert functions.calls == []


def test_a_handler_runs_out_of_an_unpacked_bundle(functions: Functions, here: Path, tmp_path: Path) -> None:
    bundle = shutil.make_archive(str(tmp_path / "bundle"), "zip", here)
    shutil.unpack_archive(bundle, tmp_path / "task")
    functions.add(Function("tells", "handlers.tells", [tmp_path / "task"]))
    assert functions.invoke("tells", "hello")["event"] == "hello"


def test_a_handler_straight_from_the_source_has_what_the_project_has(functions: Functions, here: Path) -> None:
    from interlock.version import __version__

    functions.add(Function("counts", "handlers.counts", [here, *SOURCE]))
    assert json.loads(functions.invoke("counts", None)) == __version__


def test_closing_leaves_no_process_and_no_file(here: Path) -> None:
    try:
        functions = Functions()
    except ServerMissing as exc:
        missing("awslambdaric", exc)
        raise
    with functions:
        functions.add(Function("tells", "handlers.tells", [here]))
        pid = functions.invoke("tells", 1)["pid"]
        assert not is_gone(pid)
    assert is_gone(pid)
    assert not functions.root.exists()
