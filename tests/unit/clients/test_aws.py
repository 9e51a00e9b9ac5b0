from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.servers.aws_errors import REGION
from tests.servers.aws_faults import Fault
from tests.servers.aws_stub import AwsStub
from tests.unit.clients.awsdoors import NOTHING, PERMANENT, TIMEOUT, TRANSIENT, Doors, ask, configured, keys, trouble

from interlock.clients.aws import AwsDoor, AwsOptions
from interlock.errors import MissingExtra

pytestmark = pytest.mark.enable_socket
ROLE = "arn:aws:iam::123456789012:role/jobs"
OTHER_ROLE = "arn:aws:iam::123456789012:role/other"


# ------------------------------------------------------------ whom it asks, and as whom


class TestOptions:
    def test_what_a_call_leaves_empty_is_taken_from_the_defaults(self, door: AwsDoor, stub: AwsStub) -> None:
        ask(door)
        ask(door, AwsOptions(region="us-west-2"))
        assert [call.region for call in stub.calls] == [REGION, "us-west-2"]

    @pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
    def test_the_region_is_that_of_the_environment(
        self, door_to: Doors, stub: AwsStub, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setenv(name, "ap-south-1")
        ask(door_to(endpoint=stub.url))
        assert stub.calls[0].region == "ap-south-1"

    def test_the_region_can_be_asked_for(
        self, door_to: Doors, stub: AwsStub, aws_home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        configured(aws_home, "[profile jobs]\nregion = eu-north-1\n", "config")
        assert door_to().region(AwsOptions()) == ""
        assert door_to(region=REGION).region(AwsOptions(region="us-west-2")) == "us-west-2"
        assert door_to(region=REGION).region(AwsOptions()) == REGION
        assert door_to().region(AwsOptions(profile="jobs")) == "eu-north-1"
        assert door_to().region(AwsOptions(profile="nobody")) == ""
        assert door_to(endpoint=stub.url).region(AwsOptions()) == "us-east-1"
        monkeypatch.setenv("AWS_REGION", "ap-south-1")
        assert door_to(endpoint=stub.url).region(AwsOptions()) == "ap-south-1"

    def test_the_region_told_is_the_one_that_calls_go_to(self, door_to: Doors, stub: AwsStub, aws_home: Path) -> None:
        """Whatever the files say by now: a handle that names another region leads nobody to its job."""
        configured(aws_home, keys("jobs", "AKIAOFJOBS"))
        configured(aws_home, "[profile jobs]\nregion = eu-north-1\n", "config")
        door, jobs = door_to(endpoint=stub.url), AwsOptions(profile="jobs")
        ask(door, jobs)
        configured(aws_home, "[profile jobs]\nregion = us-west-2\n", "config")
        ask(door, jobs)
        assert {door.region(jobs)} == {call.region for call in stub.calls} == {"eu-north-1"}

    def test_a_profile_gives_credentials_and_a_region(self, door_to: Doors, stub: AwsStub, aws_home: Path) -> None:
        configured(aws_home, keys("jobs", "AKIAOFJOBS"))
        configured(aws_home, "[profile jobs]\nregion = eu-north-1\n", "config")
        ask(door_to(endpoint=stub.url), AwsOptions(profile="jobs"))
        assert (stub.calls[0].access_key, stub.calls[0].region) == ("AKIAOFJOBS", "eu-north-1")

    def test_a_profile_of_a_call_is_not_asked_to_take_on_the_role_of_the_project(
        self, door_to: Doors, stub: AwsStub, aws_home: Path
    ) -> None:
        configured(aws_home, keys("jobs", "AKIAOFJOBS"))
        door = door_to(endpoint=stub.url, region=REGION, assume_role=ROLE, external_id="ours")
        ask(door, AwsOptions(profile="jobs"))
        assert stub.sts.sessions == []
        assert stub.calls[0].access_key == "AKIAOFJOBS"

    def test_made_up_credentials_go_to_a_stand_in_on_this_machine_only(
        self, door: AwsDoor, stub: AwsStub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ask(door)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "keep-this-quiet")
        ask(door, AwsOptions(region="us-west-2"))
        assert [call.access_key for call in stub.calls] == ["local", "AKIAREAL"]

    def test_aws_itself_is_never_asked_with_credentials_that_a_stand_in_was_asked_with(
        self, door: AwsDoor, stub: AwsStub
    ) -> None:
        """A role taken on at a stand-in leaves nothing behind in the session that AWS is asked with."""
        ask(door, AwsOptions(assume_role=ROLE))
        found = trouble(door, AwsOptions(endpoint="http://aws.invalid:1"))
        assert "Unable to locate credentials" in str(found)

    @pytest.mark.parametrize("options", [AwsOptions(), AwsOptions(assume_role=ROLE)])
    def test_without_credentials_nothing_is_asked(self, door_to: Doors, options: AwsOptions) -> None:
        found = trouble(door_to(region=REGION), options)
        assert (found.done, found.category, found.code) == (False, PERMANENT, "")
        assert "AWS_ACCESS_KEY_ID" in str(found)

    def test_without_a_region_nothing_is_asked(self, door_to: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "keep-this-quiet")
        found = trouble(door_to())
        assert (found.done, found.category) == (False, PERMANENT)
        assert "set region, or AWS_REGION" in str(found)

    def test_a_profile_that_is_not_there_is_named_and_found_once_it_is(
        self, door: AwsDoor, stub: AwsStub, aws_home: Path
    ) -> None:
        found = trouble(door, AwsOptions(profile="jobs"))
        assert (found.done, found.category) == (False, PERMANENT)
        assert "jobs" in str(found)
        configured(aws_home, keys("jobs", "AKIAOFJOBS"))
        ask(door, AwsOptions(profile="jobs"))
        assert stub.calls[0].access_key == "AKIAOFJOBS"

    def test_credentials_that_are_put_there_later_are_found(
        self, door_to: Doors, stub: AwsStub, aws_home: Path
    ) -> None:
        configured(aws_home, "[jobs]\nregion = eu-north-1\n")
        door = door_to(endpoint=stub.url, profile="jobs")
        assert "Unable to locate credentials" in str(trouble(door))
        configured(aws_home, keys("jobs", "AKIAOFJOBS"))
        ask(door, AwsOptions(region=REGION))
        ask(door)
        assert {call.access_key for call in stub.calls} == {"AKIAOFJOBS"}

    def test_credentials_that_have_expired_are_read_again(self, door_to: Doors, stub: AwsStub, aws_home: Path) -> None:
        configured(aws_home, keys("jobs", "AKIAOLD"))
        door = door_to(endpoint=stub.url, region=REGION, profile="jobs")
        with stub.fault("Publish", Fault.EXPIRED):
            found = trouble(door)
        configured(aws_home, keys("jobs", "AKIANEW"))
        ask(door)
        assert [call.access_key for call in stub.calls] == ["AKIAOLD", "AKIANEW"]
        assert (found.done, found.category) == (False, TRANSIENT)


class TestRoles:
    def test_a_role_is_taken_on_once_for_many_calls_with_its_external_id(self, door: AwsDoor, stub: AwsStub) -> None:
        options = AwsOptions(assume_role=ROLE, external_id="ours")
        for _ in range(3):
            ask(door, options)
        (session,) = stub.sts.sessions
        assert (session["RoleArn"], session["ExternalId"]) == (ROLE, "ours")
        calls = stub.called("Publish")
        assert {call.access_key[:4] for call in calls} == {"ASIA"}
        assert all(call.token for call in calls)

    def test_each_role_has_credentials_of_its_own(self, door: AwsDoor, stub: AwsStub) -> None:
        ask(door, AwsOptions(assume_role=ROLE))
        ask(door, AwsOptions(assume_role=OTHER_ROLE))
        assert [session["RoleArn"] for session in stub.sts.sessions] == [ROLE, OTHER_ROLE]
        assert len({call.access_key for call in stub.called("Publish")}) == 2

    def test_an_external_id_of_a_call_goes_with_the_role_of_the_project(self, door_to: Doors, stub: AwsStub) -> None:
        door = door_to(endpoint=stub.url, region=REGION, assume_role=ROLE, external_id="ours")
        ask(door, AwsOptions(external_id="theirs"))
        assert stub.sts.sessions[0]["ExternalId"] == "theirs"

    def test_credentials_of_a_role_renew_themselves(
        self, door: AwsDoor, stub: AwsStub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told = stub.sts._assume

        def briefly(params: dict[str, Any]) -> dict[str, Any]:
            return told({**params, "DurationSeconds": 1})

        monkeypatch.setattr(stub, "_operations", {**stub._operations, "sts": {"AssumeRole": briefly}})
        ask(door, AwsOptions(assume_role=ROLE))
        ask(door, AwsOptions(assume_role=ROLE))
        assert len({call.access_key for call in stub.called("Publish")}) == 2

    def test_a_role_that_may_not_be_taken_on_is_a_refusal_for_good(self, door: AwsDoor, stub: AwsStub) -> None:
        stub.sts.closed.add(ROLE)
        found = trouble(door, AwsOptions(assume_role=ROLE))
        assert (found.done, found.category, found.code) == (False, PERMANENT, "AccessDenied")
        assert "sts:AssumeRole" in str(found)

    @pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.LOST_ANSWER, Fault.GARBAGE])
    def test_trouble_with_the_role_means_that_the_call_was_not_made(
        self, door: AwsDoor, stub: AwsStub, fault: Fault
    ) -> None:
        """A start whose credentials could not be had is a start that did not happen."""
        with stub.fault("AssumeRole", fault):
            found = trouble(door, AwsOptions(assume_role=ROLE))
        assert found.done is False
        assert stub.sns.messages == []

    def test_a_private_endpoint_of_a_service_is_not_asked_for_roles(
        self, door_to: Doors, stub: AwsStub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """That of another service knows no roles; AWS_ENDPOINT_URL_STS names that for roles."""
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "keep-this-quiet")
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", stub.url)
        found = trouble(door_to(endpoint="http://sns.invalid:1", region=REGION), AwsOptions(assume_role=ROLE))
        assert len(stub.sts.sessions) == 1
        assert "sns.invalid" in str(found)
        assert (found.done, found.category) == (False, TRANSIENT)


# ------------------------------------------------------------ threads, processes, leaving


class TestSharing:
    def test_many_threads_that_make_the_first_calls_at_once_share_one_client_for_each_service(
        self, door: AwsDoor, stub: AwsStub
    ) -> None:
        ready = threading.Barrier(12)

        def first(number: int) -> None:
            ready.wait(10)
            if number % 2:
                ask(door)
            else:
                door.call("sts", "get_caller_identity", NOTHING, timeout=TIMEOUT)

        with ThreadPoolExecutor(12) as pool:
            list(pool.map(first, range(12)))
        assert sorted(service for service, _, _ in door._clients) == ["sns", "sts"]
        assert len(stub.calls) == 12

    def test_after_closing_calls_work_again(self, door: AwsDoor, stub: AwsStub) -> None:
        ask(door)
        door.close()
        ask(door)
        assert len(stub.sns.messages) == 2

    def test_a_process_that_was_forked_in_the_middle_of_a_call_makes_calls(self, stub: AwsStub) -> None:
        """Whoever forks may hold any lock of the door."""
        script = f"""
import os, sys
from datetime import timedelta
from interlock.clients.aws import AwsDoor, AwsOptions
door = AwsDoor(AwsOptions(endpoint={stub.url!r}, region={REGION!r}))
def ask():
    return door.call("sts", "get_caller_identity", AwsOptions(), timeout=timedelta(seconds=10))["Account"]
ask()
with door._lock:
    child = os.fork()
    if not child:
        ask()
        os._exit(7)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
        argv = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script]
        assert subprocess.run(argv, timeout=30, check=False).returncode == 7
        assert len(stub.calls) == 2

    @pytest.mark.parametrize(
        "imported",
        [
            "from interlock.clients.aws import AwsDoor; AwsDoor()",
            *(
                f"import interlock.triggers.{name}"
                for name in ("glue", "emr", "emr_serverless", "step_function", "lambda_function")
            ),
            "import interlock.sinks.sns, interlock.sinks.s3",
        ],
    )
    def test_botocore_is_not_imported_before_a_call(self, imported: str) -> None:
        """It takes longer than everything else that a command does, and most commands call nobody."""
        script = f"import sys; {imported}; sys.exit('botocore' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0

    def test_without_botocore_it_is_said_what_to_install(self, door_to: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in [name for name in sys.modules if name.startswith("interlock.clients.aws_")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "botocore", None)
        with pytest.raises(MissingExtra, match=r"interlock\[aws\]"):
            ask(door_to())
