"""Moto's interpreter of state machines as a process of its own, mended where it departs from Step Functions.

It is run by the python of the tools environment, and imports nothing of ours:

    python interpreter.py 10200 http://127.0.0.1:10300 http://127.0.0.1:10400

Tasks that invoke a function go to the last address, those of Step Functions itself come back to its own port, and all
others go to the first address. With `--as-it-came` nothing of `MENDED` is mended: tests show so that each is still needed.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from importlib import import_module
from threading import Lock
from time import monotonic, sleep
from types import ModuleType
from typing import Any, Final

HOST: Final = "127.0.0.1"
_TASKS: Final = "asl.component.state.exec.state_task.service"
# A path that can find several values: wildcard, descent, filter, slice, union.
_SEVERAL: Final = re.compile(r"\*|\.\.|\?|\[[^\]'\"]*[:,]")


def _moto(name: str) -> ModuleType:
    return import_module(f"moto.{name}")


def _parser(name: str) -> ModuleType:
    return _moto(f"stepfunctions.parser.{name}")


def _put_in_place_of(original: Any, replacement: Any) -> None:
    """Replace a function wherever it has been imported by name."""
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.stepfunctions"):
            for attribute, value in list(vars(module).items()):
                if value is original:
                    setattr(module, attribute, replacement)


# ---------------------------------------------------------------- what is wrong with it


def a_place_in_a_list_is_one_value() -> None:
    """`$.results[0].status` gives a list of one, so that a Choice takes the wrong branch."""
    paths = _parser("asl.utils.json_path")
    parse = lru_cache(paths.parse)

    def extract_json(path: str, data: Any) -> Any:
        found = [match.value for match in parse(path).find(data)]
        if _SEVERAL.search(path):
            return found
        if not found:
            raise paths.NoSuchJsonPathError(json_path=path, data=data)
        return found[0]

    _put_in_place_of(paths.extract_json, extract_json)


class Literal(str):
    """A string of an intrinsic function; `written` still has the backslashes that tell a brace from a place to fill."""

    __slots__ = ("written",)
    written: str


def braces_can_be_escaped() -> None:
    r"""States.Format breaks on `\{`, and intrinsic functions are read without the escapes of JSON being resolved."""

    def text_of(tree: Any) -> Literal:
        written = tree.getText()[1:-1]
        literal = Literal(re.sub(r"\\(.)", r"\1", written))
        literal.written = written
        return literal

    def evaluate(self: Any, env: Any) -> None:
        self.argument_list.eval(env=env)
        template, *values = env.stack.pop()
        rest = iter(values)
        pieces = re.split(r"(\\.|\{\})", getattr(template, "written", template))
        shown = (self._to_str_repr(next(rest)) if piece == "{}" else piece.removeprefix("\\") for piece in pieces)
        env.stack.append("".join(shown))

    reader = _parser("asl.parse.intrinsic.intrinsic_parser").IntrinsicParser
    parse = reader.parse
    reader.parse = staticmethod(lambda source: parse(json.loads(f'"{source}"')))
    _parser("asl.parse.intrinsic.preprocessor").Preprocessor._text_of_str = staticmethod(text_of)
    generic = "asl.component.intrinsic.function.statesfunction.generic"
    _parser(f"{generic}.string_format").StringFormat._eval_body = evaluate


def states_all_is_not_every_error() -> None:
    """States.ALL catches States.Runtime and States.DataLimitExceeded too, which nothing catches on AWS."""
    decl = _parser("asl.component.common.error_name.error_equals_decl").ErrorEqualsDecl
    matches = decl._eval_body

    def evaluate(self: Any, env: Any) -> None:
        name = env.stack[-1].error_name
        wild = self._STATE_ALL_ERROR in self.error_names
        matches(self, env)
        if wild and name in {"States.Runtime", "States.DataLimitExceeded"}:
            env.stack[-1] = False

    decl._eval_body = evaluate


def a_spent_token_is_refused() -> None:
    """The token of a wait that is over is taken silently, or is not known; AWS says TaskTimedOut."""
    waits = _parser("asl.eval.callback.callback")
    task = _parser(f"{_TASKS}.state_task_service_callback").StateTaskServiceCallback
    backend = _parser("models").StepFunctionsParserBackend
    refusal = _moto("core.exceptions").AWSError
    notify, evaluate = waits.CallbackPoolManager.notify, task._evaluate_with_timeout
    executions = backend._get_executions

    def notify_if_awaited(self: Any, callback_id: str, outcome: Any) -> bool:
        endpoint = self.get(callback_id)
        if endpoint is not None and (endpoint.consumer_error is not None or endpoint._notify_event.is_set()):
            raise refusal("Task Timed Out: 'Provided task does not exist anymore'", "TaskTimedOut")
        return bool(notify(self, callback_id, outcome))

    def evaluate_with_timeout(self: Any, env: Any) -> None:
        context, pool = env.states.context_object, env.callback_pool_manager
        waiting = context.context_object_data.get("Task")
        if waiting is None:
            evaluate(self, env)
            return
        if pool.get(waiting["Token"]).consumer_error is not None:
            # This is another try.
            pool.add(context.update_task_token())
        endpoint = pool.get(context.context_object_data["Task"]["Token"])
        try:
            evaluate(self, env)
        finally:
            endpoint.report(waits.CallbackConsumerTimeout())

    waits.CallbackPoolManager.notify = notify_if_awaited
    task._evaluate_with_timeout = evaluate_with_timeout
    # Those that have ended are asked too. One whose environment is not made yet has handed out no token.
    backend._get_executions = lambda self, status=None: [each for each in executions(self) if each.exec_worker.env]


def a_stopped_execution_has_ended() -> None:
    """StopExecution forgets error and cause, answers no date, and waits for a task that nobody ends any more."""
    running = _parser("backend.execution")
    api, waits = _parser("api"), _parser("asl.eval.callback.callback")
    ended = running.BaseExecutionWorkerCommunication.terminated

    def stop(self: Any) -> Any:
        execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
        if execution.exec_status == api.ExecutionStatus.RUNNING:
            given = {"error": self._get_param("error"), "cause": self._get_param("cause")}
            execution.exec_status, execution.stop_date = api.ExecutionStatus.ABORTED, datetime.now(tz=UTC)
            execution.error, execution.cause = given["error"], given["cause"]
            env = _environment_of(execution)
            env.set_stop(stop_date=execution.stop_date, **given)
            for endpoint in list(env.callback_pool_manager._pool.values()):
                endpoint.report(waits.CallbackConsumerTimeout())
        return _moto("core.responses").ActionResult({"stopDate": execution.stop_date})

    def terminated(self: Any) -> None:
        if self.execution.exec_status != api.ExecutionStatus.ABORTED:
            ended(self)

    running.BaseExecutionWorkerCommunication.terminated = terminated
    _moto("stepfunctions.responses").StepFunctionResponse.stop_execution = stop


def _environment_of(execution: Any) -> Any:
    """Return what an execution runs in, which is there a moment after it has been started."""
    deadline = monotonic() + 10
    while execution.exec_worker.env is None or execution.exec_worker.env.program_state() is None:
        if monotonic() > deadline:
            raise TimeoutError(f"{execution.exec_arn} does not begin")
        sleep(0.001)
    return execution.exec_worker.env


def an_unnamed_execution_has_a_name_of_its_own() -> None:
    """Every execution that is started without a name is called None, so that there can be one only."""
    backend = _parser("models").StepFunctionsParserBackend
    start = backend.start_execution

    def start_named(self: Any, arn: str, name: str | None, *rest: Any) -> Any:
        return start(self, arn, name or str(uuid.uuid4()), *rest)

    backend.start_execution = start_named


def an_execution_can_start_another() -> None:
    """Parameters for Step Functions itself keep their capital letters, which botocore does not know, and answers their dates."""
    task = _parser(f"{_TASKS}.state_task_service").StateTaskService
    wires = _parser("asl.utils.boto_client")

    def operation(self: Any) -> Any:
        meta = wires.boto_client_for("us-east-1", "stepfunctions").meta
        return meta.service_model.operation_model(meta.method_to_api_mapping[self._get_boto_service_action()])

    def normalise_parameters(
        self: Any, parameters: Any, boto_service_name: Any = None, service_action_name: Any = None
    ) -> None:
        if self._get_boto_service_name() == "stepfunctions":
            self._to_boto_request(parameters, operation(self).input_shape)

    def normalise_response(self: Any, response: Any, *rest: Any, **named: Any) -> None:
        if self._get_boto_service_name() == "stepfunctions" and not (rest or named):
            self._from_boto_response(response, operation(self).output_shape)
            dates = {key: value.isoformat() for key, value in response.items() if isinstance(value, datetime)}
            response.update(dates)

    task._normalise_parameters = normalise_parameters
    task._normalise_response = normalise_response


MENDED: Final[tuple[Callable[[], None], ...]] = (
    a_place_in_a_list_is_one_value,
    braces_can_be_escaped,
    states_all_is_not_every_error,
    a_spent_token_is_refused,
    a_stopped_execution_has_ended,
    an_unnamed_execution_has_a_name_of_its_own,
    an_execution_can_start_another,
)

# ---------------------------------------------------------------- the wires


def wire(port: int, services: str, functions: str) -> None:
    """Have tasks call the right server, with clients that are made once."""
    wires = _parser("asl.utils.boto_client")
    addresses = {"lambda": functions, "stepfunctions": f"http://{HOST}:{port}"}
    lock = Lock()
    # No client may give up on its own: a task has its own timeout, and a function may take fifteen minutes.
    config = wires.Config(
        parameter_validation=False,
        retries={"total_max_attempts": 1},
        connect_timeout=10,
        read_timeout=1000,
        max_pool_connections=100,
    )

    @lru_cache
    def client_of(region: str, service: str) -> Any:
        return wires.boto3.client(
            service,
            region_name=region,
            endpoint_url=addresses.get(service, services),
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=config,
        )

    def client(region: str, service: str, state_credentials: Any = None) -> Any:
        with lock:
            return client_of(region, service)

    _put_in_place_of(wires.boto_client_for, client)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("services")
    parser.add_argument("functions")
    parser.add_argument("--as-it-came", action="store_true")
    given = parser.parse_args()
    _moto("core.config").default_user_config["stepfunctions"]["execute_state_machine"] = True
    _parser("models")
    wire(given.port, given.services, given.functions)
    for mend in () if given.as_it_came else MENDED:
        mend()
    web = _moto("moto_server.werkzeug_app")
    serve = import_module("werkzeug.serving").run_simple
    app = web.create_backend_app("stepfunctions")
    serve(HOST, given.port, app, threaded=True, request_handler=web.MotoRequestHandler)


if __name__ == "__main__":
    main()
