"""Secrets Manager and the token service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from tests.servers.aws_errors import ACCOUNT, REGION, AwsError
from tests.servers.aws_jobs import digest, instant
from tests.servers.aws_wire import Params

SECRET: Final = "sales/api-token"


class Secrets:
    """Secrets by name: text or bytes. Those in `locked` cannot be decrypted."""

    def __init__(self) -> None:
        self.values: dict[str, str | bytes] = {SECRET: '{"token": "correct horse"}'}
        self.locked: set[str] = set()

    @property
    def operations(self) -> Mapping[str, Callable[[Params], Params]]:
        """What it can do."""
        return {"GetSecretValue": self._get}

    def _get(self, params: Params) -> Params:
        name = params["SecretId"]
        prefix = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:"
        if name.startswith(prefix):
            name = name.removeprefix(prefix)[: -len("-AbCdEf")]
        stage = params.get("VersionStage", "AWSCURRENT")
        if name not in self.values or stage != "AWSCURRENT":
            said = f"Secrets Manager can't find the specified secret value for staging label: {stage}"
            raise AwsError("ResourceNotFoundException", said)
        if name in self.locked:
            said = "Secrets Manager can't decrypt the protected secret text using the provided KMS key."
            raise AwsError("DecryptionFailure", said)
        value = self.values[name]
        return {
            "ARN": f"{prefix}{name}-AbCdEf",
            "Name": name,
            "VersionId": digest("secret", name, value)[:32],
            "VersionStages": ["AWSCURRENT"],
            "CreatedDate": instant(),
            **({"SecretString": value} if isinstance(value, str) else {"SecretBinary": value}),
        }


class Tokens:
    """STS: every role can be taken but those in `closed`. `sessions` has what each was asked for."""

    def __init__(self) -> None:
        self.closed: set[str] = set()
        self.sessions: list[Params] = []

    @property
    def operations(self) -> Mapping[str, Callable[[Params], Params]]:
        """What it can do."""
        return {"AssumeRole": self._assume, "GetCallerIdentity": self._who}

    def _assume(self, params: Params) -> Params:
        role = params["RoleArn"]
        if role in self.closed:
            said = f"User: arn:aws:iam::{ACCOUNT}:user/tests is not authorized to perform: sts:AssumeRole on {role}"
            raise AwsError("AccessDenied", said, 403)
        self.sessions.append(params)
        mark = digest("session", len(self.sessions))
        name = role.rpartition("/")[2]
        assumed = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{params['RoleSessionName']}"
        return {
            "Credentials": {
                "AccessKeyId": f"ASIA{mark[:16].upper()}",
                "SecretAccessKey": mark[16:56],
                "SessionToken": f"token-{mark}",
                "Expiration": instant() + timedelta(seconds=params.get("DurationSeconds", 3600)),
            },
            "AssumedRoleUser": {
                "AssumedRoleId": f"AROA{mark[:16].upper()}:{params['RoleSessionName']}",
                "Arn": assumed,
            },
        }

    def _who(self, params: Params) -> Params:
        return {"UserId": "AIDAEXAMPLE", "Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/tests"}
