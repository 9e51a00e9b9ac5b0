"""A deployment made by the real Terraform out of the real module, against emulators that nobody else uses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import boto3
from tests.aws.e2e.package import archive, folders
from tests.aws.e2e.site import Site
from tests.aws.e2e.states_front import StatesFront
from tests.aws.lab.fixtures import Lab
from tests.aws.lab.functions import Function, Functions
from tests.aws.lab.pump import StreamMapping
from tests.aws.lab.stepfunctions import StateMachines, StepFunctionsServer
from tests.deploy.terraform import Terraform
from tests.servers.dynamodb import MiniStackServer

NAME: Final = "interlock-e2e"
_PLACE: Final = "tests/lab"
_PATIENCE: Final = 400
_MADE_TWICE: Final = "already exists"


class AnswerLost(Exception):
    """The emulator made something, its answer was lost, and the provider asked for it again."""


@contextmanager
def a_lab_of_its_own() -> Iterator[Lab]:
    """Start emulators for one test, so that all that is in them is its own."""
    with ExitStack() as stack:
        ministack = stack.enter_context(MiniStackServer())
        functions = stack.enter_context(Functions())
        server = stack.enter_context(StepFunctionsServer(services=ministack.url, functions=functions.url))
        machines = stack.enter_context(StateMachines(server))
        lab = Lab(ministack, machines, functions)
        stack.callback(lab.close)
        functions.environment |= lab.environment
        yield lab


class Applied:
    """The module in a directory of its own, and what it has made."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self.lab = lab
        self._front = StatesFront(lab.machines.url)
        self._terraform = Terraform(directory)
        self._functions = boto3.client("lambda", **lab.ministack.client_options)  # type: ignore[call-overload, unused-ignore]
        self._folders = folders(directory / "task")
        package = directory / "package.zip"
        package.write_bytes(archive())
        self._variables = [
            f"-var={name}={value}"
            for name, value in {
                "endpoint": lab.ministack.url,
                "states_endpoint": self._front.url,
                "region": lab.ministack.region,
                "name": NAME,
                "package": str(package),
                "longest_wait": "10",
            }.items()
        ]

    def apply(self) -> Site:
        """Make everything, and put the real functions into the places that it has made for them.

        Raises:
            AnswerLost: something was there already. In emulators that have made nothing else, that is their fault, or
                the module makes it twice: then it happens again.
        """
        self._terraform.prepare(_PLACE)
        try:
            self._run("apply", "-auto-approve", "-parallelism=20")
        except AssertionError as exc:
            if _MADE_TWICE in str(exc):
                raise AnswerLost(str(exc)) from exc
            raise
        said = json.loads(self._terraform.run("output", "-json", place=_PLACE))["interlock"]["value"]
        self._still()
        return self._site(said)

    def close(self) -> None:
        """Let go of the emulators."""
        self._functions.close()
        self._front.close()

    def destroy(self) -> None:
        """Remove everything again."""
        self._run("destroy", "-auto-approve", "-parallelism=20")

    def left(self) -> dict[str, list[str]]:
        """Return what is still there, by service: nothing, after everything was removed."""
        found = {
            "tables": self.lab.client("dynamodb").list_tables()["TableNames"],
            "functions": [one["FunctionName"] for one in self._pages("lambda", "list_functions", "Functions")],
            "mappings": [
                one["UUID"] for one in self._pages("lambda", "list_event_source_mappings", "EventSourceMappings")
            ],
            "queues": self.lab.client("sqs").list_queues().get("QueueUrls", []),
            "topics": [one["TopicArn"] for one in self._pages("sns", "list_topics", "Topics")],
            "rules": [one["Name"] for one in self.lab.client("events").list_rules()["Rules"]],
            "roles": [one["RoleName"] for one in self._pages("iam", "list_roles", "Roles")],
            "policies": [one["PolicyName"] for one in self._pages("iam", "list_policies", "Policies", Scope="Local")],
            "alarms": [one["AlarmName"] for one in self._pages("cloudwatch", "describe_alarms", "MetricAlarms")],
            "dashboards": [
                one["DashboardName"] for one in self._pages("cloudwatch", "list_dashboards", "DashboardEntries")
            ],
            "logs": [one["logGroupName"] for one in self._pages("logs", "describe_log_groups", "logGroups")],
            "machines": [one["name"] for one in self._pages("stepfunctions", "list_state_machines", "stateMachines")],
        }
        return {kind: names for kind, names in found.items() if names}

    # ------------------------------------------------------------ the parts

    def _run(self, command: str, *more: str) -> str:
        return self._terraform.run(
            command, "-input=false", "-no-color", *more, *self._variables, place=_PLACE, timeout=_PATIENCE
        )

    def _pages(self, service: str, operation: str, member: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        for page in self._client(service).get_paginator(operation).paginate(**parameters):
            yield from page[member]

    def _client(self, service: str) -> Any:
        """Return a client of what Terraform has talked to: of Lambda, too, it is the emulator of all services."""
        return self._functions if service == "lambda" else self.lab.client(service)

    def _still(self) -> None:
        """Have the emulator call nothing by itself: it knows neither partial failures nor our functions."""
        for mapping in self._pages("lambda", "list_event_source_mappings", "EventSourceMappings"):
            self._functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        for rule in self.lab.client("events").list_rules()["Rules"]:
            self.lab.client("events").disable_rule(Name=rule["Name"])

    def _site(self, said: Mapping[str, Any]) -> Site:
        environment: dict[str, str] = {}
        for name in said["function_names"].values():
            made = self._functions.get_function_configuration(FunctionName=name)
            variables = made["Environment"]["Variables"]
            environment |= variables
            self.lab.functions.add(
                Function(
                    name, made["Handler"], self._folders, variables, timeout=made["Timeout"], memory=made["MemorySize"]
                )
            )
        mappings = {
            one["FunctionArn"].split(":")[6].removeprefix(f"{NAME}-"): one
            for one in self._pages("lambda", "list_event_source_mappings", "EventSourceMappings")
        }
        return Site(
            table=said["table_name"],
            machine=said["state_machine_arn"],
            functions=said["function_names"],
            environment=environment,
            folders=self._folders,
            streamed={name: _mapping(one) for name, one in mappings.items() if name != "ingress"},
            requests_batch=mappings["ingress"]["BatchSize"],
            queues={"requests": said["requests_queue_url"], **said["dead_letter_queue_urls"]},
            topics={"alerts": said["alert_topic_arn"], "lifecycle": said["lifecycle_topic_arn"]},
        )


def _mapping(said: Mapping[str, Any]) -> StreamMapping:
    return StreamMapping(
        batch_size=said["BatchSize"],
        maximum_batching_window_in_seconds=said["MaximumBatchingWindowInSeconds"],
        parallelization_factor=said["ParallelizationFactor"],
        maximum_retry_attempts=said["MaximumRetryAttempts"],
        maximum_record_age_in_seconds=said["MaximumRecordAgeInSeconds"],
        bisect_batch_on_function_error=said["BisectBatchOnFunctionError"],
        function_response_types=tuple(said["FunctionResponseTypes"]),
        filters=tuple(json.loads(each["Pattern"]) for each in said["FilterCriteria"]["Filters"]),
    )
