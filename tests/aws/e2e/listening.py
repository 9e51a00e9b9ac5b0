"""What a deployment tells: its topics, to which queues of ours are subscribed, and what it keeps for people."""

from __future__ import annotations

import json
from typing import Any

from tests.aws.e2e.site import Site
from tests.aws.lab.fixtures import Lab


class Listening:
    """Hears what a deployment tells, in the order in which it came."""

    def __init__(self, lab: Lab, site: Site) -> None:
        self.lab = lab
        self.site = site
        self._sqs = lab.client("sqs")
        self._heard: dict[str, list[dict[str, Any]]] = {topic: [] for topic in site.topics}
        self._kept: list[dict[str, Any]] = []
        self._ears = {topic: self._ear(topic, arn) for topic, arn in site.topics.items()}

    def _ear(self, topic: str, arn: str) -> str:
        """Subscribe a queue of our own to a topic."""
        url: str = self._sqs.create_queue(QueueName=f"{self.site.table}-{topic}-ear")["QueueUrl"]
        queue = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.lab.client("sns").subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue)
        return url

    def deafen(self) -> None:
        """Remove the queues of ours."""
        for url in self._ears.values():
            self._sqs.delete_queue(QueueUrl=url)

    def alerts(self, pipeline: str, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the notices about a pipeline that have come out of the alert topic, oldest first."""
        found = self._listened("alerts")
        return [one for one in found if one["pipelineId"] == pipeline and kind in {None, one["alertType"]}]

    def ends(self, pipeline: str) -> list[dict[str, Any]]:
        """Return the ends of a pipeline's runs that have come out of the lifecycle topic."""
        return [one for one in self._listened("lifecycle") if one["pipelineId"] == pipeline]

    def kept(self, about: str = "") -> list[dict[str, Any]]:
        """Take what says this word out of the failure queue. A test leaves nothing there."""
        self._kept += [json.loads(message["Body"]) for message in self._received(self.site.queues["failures"])]
        found = [one for one in self._kept if about in json.dumps(one)]
        self._kept = [one for one in self._kept if one not in found]
        return found

    def _listened(self, topic: str) -> list[dict[str, Any]]:
        for message in self._received(self._ears[topic]):
            self._heard[topic].append(json.loads(json.loads(message["Body"])["Message"]))
        return self._heard[topic]

    def _received(self, url: str) -> list[dict[str, Any]]:
        """Take everything out of a queue."""
        taken: list[dict[str, Any]] = []
        while found := self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            taken += found
            for message in found:
                self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return taken
