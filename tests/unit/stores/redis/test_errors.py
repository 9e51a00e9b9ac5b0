"""What Redis says, in our words."""

from __future__ import annotations

import socket
import ssl

import pytest
from redis import exceptions as said

from interlock.errors import StoreError, StoreUnavailable
from interlock.stores.redis.errors import answered, translated

HERE = "redis://h:1/0"


def _below(exc: said.RedisError, cause: Exception) -> said.RedisError:
    exc.__context__ = cause
    return exc


@pytest.mark.parametrize(
    ("exc", "words"),
    [
        (said.BusyLoadingError("Redis is loading the dataset in memory"), "still reading its data"),
        (said.ResponseError("BUSY Redis is busy running a script."), "SCRIPT KILL"),
        (said.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), "memory is full"),
        (
            said.ResponseError("Error running script (call to f_1): @user_script: 5: -OOM command not allowed"),
            "memory is full",
        ),
        (said.ResponseError("MISCONF Errors writing to the AOF file: No space left on device"), "to its disk"),
        (said.ReadOnlyError("You can't write against a read only replica."), "it is a replica"),
        (said.ResponseError("Error running script: @user_script: 5: -READONLY You can't write"), "it is a replica"),
        (said.ResponseError("NOREPLICAS Not enough good replicas to write."), "min-replicas-to-write"),
        (said.MasterDownError("Link with MASTER is down"), "lost its primary"),
        (said.ClusterDownError("The cluster is down"), "the cluster is down"),
        (said.TryAgainError("Multiple keys request during rehashing of slot"), "on their way"),
        (said.ResponseError("UNBLOCKED force unblock from blocking operation"), "became a replica"),
        (said.ConnectionError("max number of clients reached"), "maxclients"),
    ],
)
def test_what_passes_can_be_tried_again_and_has_not_happened(exc: said.RedisError, words: str) -> None:
    """The server answered, so nothing is unknown."""
    assert answered(exc)
    error = translated(exc, HERE, "commit to", "Nothing was written")
    assert isinstance(error, StoreUnavailable)
    assert words in str(error)
    assert str(error).startswith("cannot commit to the store redis://h:1/0: ")
    assert ". Nothing was written (it was said: " in str(error)


@pytest.mark.parametrize(
    ("exc", "words"),
    [
        (said.AuthenticationError("Authentication required."), "it wants a password"),
        (said.AuthenticationError("invalid username-password pair or user is disabled."), "does not know this user"),
        (said.AuthenticationError("Client sent AUTH, but no password is set"), "it has no passwords"),
        (said.NoPermissionError("this user has no permissions to run the 'eval' command"), "may not do that"),
        (said.ResponseError("The user executing the script can't run this command or subcommand"), "may not do that"),
        (said.ResponseError("DENIED Redis is running in protected mode"), "protected mode"),
        (said.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"), "redis.keyPrefix"),
        (said.MovedError("866 10.0.0.1:6379"), "Set redis.cluster to true"),
        (said.ResponseError("DB index is out of range"), "no database of that number"),
        (said.ResponseError("This instance has cluster support disabled"), "Set redis.cluster to false"),
        (said.ResponseError("unknown command `EVALSHA`, with args beginning with: "), "Redis 6.2"),
        (said.ResponseError("something new"), "it refused"),
    ],
)
def test_what_does_not_pass_says_what_to_set(exc: said.RedisError, words: str) -> None:
    """Trying again would not help."""
    assert answered(exc)
    error = translated(exc, HERE, "read")
    assert type(error) is StoreError
    assert words in str(error)


@pytest.mark.parametrize(
    ("exc", "kind", "words"),
    [
        (said.TimeoutError("Timeout reading from socket"), StoreUnavailable, "did not answer in time"),
        (said.ConnectionError("Connection closed by server."), StoreUnavailable, "the connection broke"),
        (_below(said.ConnectionError("Error 111"), ConnectionRefusedError()), StoreUnavailable, "nobody listens there"),
        (_below(said.ConnectionError("Error 2"), FileNotFoundError()), StoreUnavailable, "nobody listens there"),
        (_below(said.ConnectionError("Error -2"), socket.gaierror()), StoreUnavailable, "cannot be resolved"),
        (_below(said.ConnectionError("Error 8"), ssl.SSLEOFError()), StoreUnavailable, "the connection broke"),
        (_below(said.ConnectionError("Error 1"), ssl.SSLCertVerificationError()), StoreError, "cannot be trusted"),
        (_below(said.ConnectionError("Error 1"), ssl.SSLError()), StoreError, "no TLS can be spoken"),
        (_below(said.ConnectionError("Error 13"), PermissionError()), StoreError, "may not open its socket"),
        (said.InvalidResponse("Protocol Error: b'HTTP/1.1 400'"), StoreError, "is no Redis"),
    ],
)
def test_what_is_no_answer_leaves_it_open_whether_it_happened(
    exc: said.RedisError, kind: type[StoreError], words: str
) -> None:
    """A connection that broke has said nothing."""
    assert not answered(exc)
    error = translated(exc, HERE, "reach")
    assert type(error) is kind
    assert words in str(error)


def test_a_server_that_is_silent_to_tls_may_speak_none() -> None:
    silent = said.TimeoutError("Timeout connecting to server")
    assert "Write redis:// if it speaks no TLS" in str(translated(silent, "rediss://h:1/0", "reach"))
    assert "TLS" not in str(translated(silent, "redis://h:1/0", "reach"))


def test_a_message_is_one_line_of_bounded_length() -> None:
    """Whatever the server says."""
    message = str(translated(said.ResponseError("a\nb " * 1000), HERE, "read"))
    assert "\n" not in message
    assert len(message) < 600
