"""A deployment put together by boto3, by what the Terraform module says: for every test, with or without Terraform."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.aws.e2e.site import Site
from tests.aws.lab.fixtures import Lab
from tests.aws.lab.functions import SOURCE, Function
from tests.aws.lab.pump import REPORTING, StreamMapping
from tests.servers.base import ROOT
from tests.unit.aws.urls import ANNA

from interlock.aws import functions

MODULE: Final = ROOT / "deploy/terraform"
PUBLIC_URL: Final = "https://interlock.example.com"
_INDEXES: Final = ("GSI1", "GSI2", "GSI3")
_WORKERS: Final = {"evaluator": 3, "orchestrator": 2}


def assembled(lab: Lab, name: str, code: Sequence[Path] = SOURCE) -> Site:
    """Make the resources and functions of a deployment; `code` is where they are imported from.

    Executions wait for as short as pipelines ask for, so that tests do not take their time.
    """
    table = _table(lab, name)
    queues = {each: _queue(lab, f"{name}-{each}") for each in ("requests", "failures")}
    topics = {each: _topic(lab, f"{name}-{each}") for each in ("alerts", "lifecycle")}
    machine_name = f"{name}-pipeline"
    values = {
        functions.TABLE: table,
        functions.ALERT_TOPIC: topics["alerts"],
        functions.LIFECYCLE_TOPIC: topics["lifecycle"],
        functions.STATE_MACHINE: f"arn:aws:states:{lab.ministack.region}:123456789012:stateMachine:{machine_name}",
        functions.FAILURE_QUEUE: queues["failures"],
        functions.EVALUATOR_URL: "",
        functions.PUBLIC_URL: PUBLIC_URL,
        functions.LONGEST_WAIT: "0",
        functions.API_ROLES: json.dumps({ANNA: ["admin"]}),
    }
    said: Mapping[str, Any] = json.loads((MODULE / "functions.json").read_text(encoding="utf-8"))
    arns = {each: lab.functions.add(_function(name, each, said[each], values, code)) for each in said}
    definition = (MODULE / "pipeline.asl.json").read_text(encoding="utf-8")
    for each, arn in arns.items():
        definition = definition.replace(f"${{{each.replace('-', '_')}_arn}}", arn)
    machine = lab.machines.machine(machine_name, definition.replace("${table_name}", table))
    assert machine == values[functions.STATE_MACHINE]
    return Site(
        table=table,
        machine=machine,
        functions={each: f"{name}-{each}" for each in said},
        environment=values,
        folders=code,
        streamed={each: _mapping(one["filters"]) for each, one in said.items() if one["filters"]},
        requests_batch=10,
        queues=queues,
        topics=topics,
    )


def _table(lab: Lab, name: str) -> str:
    keys = ("PK", "SK", *(f"{index}{key}" for index in _INDEXES for key in ("PK", "SK")))
    client = lab.client("dynamodb")
    client.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=_schema(""),
        GlobalSecondaryIndexes=[
            {"IndexName": index, "KeySchema": _schema(index), "Projection": {"ProjectionType": "KEYS_ONLY"}}
            for index in _INDEXES
        ],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    client.update_time_to_live(TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"})
    return name


def _schema(index: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": f"{index}PK", "KeyType": "HASH"},
        {"AttributeName": f"{index}SK", "KeyType": "RANGE"},
    ]


def _queue(lab: Lab, name: str) -> str:
    # What comes again comes at once.
    return str(lab.client("sqs").create_queue(QueueName=name, Attributes={"VisibilityTimeout": "0"})["QueueUrl"])


def _topic(lab: Lab, name: str) -> str:
    return str(lab.client("sns").create_topic(Name=name)["TopicArn"])


def _function(
    deployment: str, name: str, said: Mapping[str, Any], values: Mapping[str, str], code: Sequence[Path]
) -> Function:
    return Function(
        f"{deployment}-{name}",
        said["handler"],
        folders=code,
        environment={each: values[each] for each in said["environment"]},
        timeout=said["timeout"],
        memory=said["memory"],
        workers=_WORKERS.get(name, 1),
    )


def _mapping(filters: list[dict[str, Any]]) -> StreamMapping:
    """Return a mapping as the module makes it where nothing else is said."""
    text = (MODULE / "variables.tf").read_text(encoding="utf-8")
    block = re.search(r'variable "stream" \{.*?\n\}\n', text, re.DOTALL)
    assert block is not None
    said = dict(re.findall(r"(\w+) += optional\(number, (\d+)\)", block[0]))
    return StreamMapping(
        batch_size=int(said["batch_size"]),
        maximum_batching_window_in_seconds=int(said["window"]),
        parallelization_factor=int(said["parallelization"]),
        maximum_retry_attempts=int(said["max_retries"]),
        maximum_record_age_in_seconds=int(said["max_age"]),
        bisect_batch_on_function_error=True,
        function_response_types=(REPORTING,),
        filters=tuple(filters),
    )
