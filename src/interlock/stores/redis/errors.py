"""The errors of Redis and Valkey in our words: what happened, what it means, what to do."""

from __future__ import annotations

import re
import ssl
from socket import gaierror
from typing import Final

from redis import exceptions as said

from interlock.errors import StoreError, StoreUnavailable

UNKNOWN: Final = "It may or may not have happened: what is stored has to be read again"
NOTHING: Final = "Nothing was written"

_RETRY: Final[dict[str, str]] = {
    "LOADING": "it was started a moment ago and is still reading its data. Try again when it has",
    "BUSY": "somebody's script has been running in it for too long. Try again; `SCRIPT KILL` ends a script that has not "
    "written anything",
    "OOM": "its memory is full (maxmemory). Give it more memory, or remove what does not belong there, and try again",
    "MISCONF": "it cannot write its data to its disk, and so takes no more. Make space on that disk or correct its "
    "permissions (the server's own log tells which), and try again",
    "READONLY": "it is a replica, which only reads. After a failover the address leads to the new primary by and by: try "
    "again then; otherwise correct the address",
    "NOREPLICAS": "fewer replicas follow it than its min-replicas-to-write asks for. Bring the replicas back, and try again",
    "MASTERDOWN": "it is a replica that has lost its primary. Try again when it has one, or correct the address",
    "CLUSTERDOWN": "the cluster is down: nobody serves a part of its slots. Look at `CLUSTER INFO`, and try again",
    "TRYAGAIN": "the keys are on their way from one member of the cluster to another. Try again when they have arrived",
    "UNBLOCKED": "it became a replica in that moment. Try again at the new primary",
    "CLIENTS": "it has as many connections as its maxclients allows. Close some or allow more, and try again",
}
_FINAL: Final[dict[str, str]] = {
    "NOAUTH": "it wants a password, and none was given. Set redis.password (and redis.username, if it has users)",
    "WRONGPASS": "it does not know this user name and password. Correct redis.username and redis.password",
    "NOUSER": "it has no passwords, and one was given. Leave redis.password out, or set a password in the server",
    "NOPERM": "this user may not do that. Give it the commands and keys that the page on the Redis store lists",
    "DENIED": "it is in protected mode, and takes nobody from another machine. Set a password in the server",
    "WRONGTYPE": "a key with our prefix is not ours. Choose another redis.keyPrefix, or remove that key",
    "CROSSSLOT": "it is a cluster, and a proxy before it hides that. Set redis.cluster to true",
    "MOVED": "it is a member of a cluster. Set redis.cluster to true",
    "ASK": "it is a member of a cluster. Set redis.cluster to true",
    "DATABASE": "it has no database of that number. Correct redis.db; a cluster has database 0 only",
    "NOCLUSTER": "it is not a member of a cluster. Set redis.cluster to false",
    "COMMAND": "it does not know or does not allow a command that the store needs. Redis 6.2 and later know them all",
}
_CLASSES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (said.OutOfMemoryError, "OOM"),
    (said.ReadOnlyError, "READONLY"),
    (said.BusyLoadingError, "LOADING"),
    (said.NoPermissionError, "NOPERM"),
    (said.MasterDownError, "MASTERDOWN"),
    (said.ClusterDownError, "CLUSTERDOWN"),
    (said.TryAgainError, "TRYAGAIN"),
    (said.ClusterCrossSlotError, "CROSSSLOT"),
    (said.MovedError, "MOVED"),
    (said.AskError, "ASK"),
)
# Redis before 7 wraps what fails inside a script into words of its own, so codes are looked for anywhere in them.
_TEXTS: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern), code)
    for pattern, code in (
        (r"\bOOM\b|used memory > 'maxmemory'", "OOM"),
        (r"\bREADONLY\b|read only (replica|slave)", "READONLY"),
        (r"\bMISCONF\b|stop-writes-on-bgsave-error|Errors writing to the AOF", "MISCONF"),
        (r"\bNOREPLICAS\b|Not enough good (replicas|slaves)", "NOREPLICAS"),
        (r"\bBUSY\b", "BUSY"),
        (r"\bWRONGTYPE\b|wrong kind of value", "WRONGTYPE"),
        (r"\bUNBLOCKED\b", "UNBLOCKED"),
        (r"\bDENIED\b|protected mode", "DENIED"),
        (r"\bNOAUTH\b|[Aa]uthentication required", "NOAUTH"),
        (r"no password is set|without any password configured", "NOUSER"),
        (r"\bWRONGPASS\b|invalid (username-password|password)|Invalid Username", "WRONGPASS"),
        (r"\bNOPERM\b|no permissions|can't run this command", "NOPERM"),
        (r"max number of clients", "CLIENTS"),
        (r"DB index|SELECT is not allowed", "DATABASE"),
        (r"cluster support disabled", "NOCLUSTER"),
        (r"unknown (command|subcommand)|Unknown Redis command", "COMMAND"),
    )
)


def code_of(exc: Exception) -> str:
    """Return what the server said, as one word; nothing when it said nothing, or nothing that is known."""
    for kind, code in _CLASSES:
        if isinstance(exc, kind):
            return code
    if type(exc) in (said.ConnectionError, said.TimeoutError) and not re.search("max number of clients", str(exc)):
        return ""
    return next((code for pattern, code in _TEXTS if pattern.search(str(exc))), "")


def answered(exc: Exception) -> bool:
    """Say whether the server answered: then what was asked was refused, and has not happened."""
    return bool(code_of(exc)) or isinstance(exc, said.ResponseError)


def translated(exc: Exception, where: str, doing: str, outcome: str = "") -> StoreError:
    """Return our error for one of redis-py's; `doing` completes "cannot … the store", `outcome` is what has become of it."""
    kind, words = _meaning(exc)
    if isinstance(exc, said.TimeoutError) and where.startswith("rediss://"):
        words += ". Write redis:// if it speaks no TLS"
    sentences = f"cannot {doing} the store {where}: {words}" + (f". {outcome}" if outcome else "")
    error = kind(f"{sentences} (it was said: {_quoted(exc)})")
    error.__cause__ = exc
    return error


def _meaning(exc: Exception) -> tuple[type[StoreError], str]:
    code = code_of(exc)
    if code in _RETRY:
        return StoreUnavailable, _RETRY[code]
    if code in _FINAL:
        return StoreError, _FINAL[code]
    if isinstance(exc, said.ResponseError):
        return StoreError, "it refused. Look at what it said, and at its log"
    if isinstance(exc, said.InvalidResponse):
        return StoreError, "what answers there is no Redis. Correct redis.addr"
    if isinstance(exc, said.TimeoutError):
        return StoreUnavailable, "it did not answer in time. Look whether it runs and can be reached, and try again"
    return _broken(exc)


def _broken(exc: Exception) -> tuple[type[StoreError], str]:
    below = exc.__context__
    if isinstance(below, ssl.SSLCertVerificationError):
        return (
            StoreError,
            "its certificate cannot be trusted. Give its authority as redis.tls.caFile, or correct the host",
        )
    if isinstance(below, ssl.SSLError) and not isinstance(below, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return StoreError, "no TLS can be spoken with it. Write redis:// if it speaks none, or correct redis.tls"
    if isinstance(below, gaierror):
        return StoreUnavailable, "its host name cannot be resolved. Correct redis.addr, or try again when names resolve"
    if isinstance(below, ConnectionRefusedError | FileNotFoundError):
        return StoreUnavailable, "nobody listens there. Start the server, or correct redis.addr"
    if isinstance(below, PermissionError):
        return StoreError, "this user may not open its socket. Correct its permissions"
    return (
        StoreUnavailable,
        "the connection broke. Look whether the server runs, and what TLS it expects (rediss://)",
    )


def _quoted(exc: Exception) -> str:
    return " ".join(str(exc).split())[:300].rstrip(".")
