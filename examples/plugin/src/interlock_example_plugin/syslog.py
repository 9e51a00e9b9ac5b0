"""`type: syslog`: tell alerts and the ends of runs to a syslog daemon, one datagram of RFC 5424 for each."""

from __future__ import annotations

import re
import socket
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from interlock.core.alerts import AlertLevel, LifecycleEvent, Notice, NoticeKind
from interlock.errors import SinkError
from interlock.sinks.context import SinkContext

LONGEST: Final = 2048
"""Bytes that every receiver should take."""

_SEVERITY: Final = {AlertLevel.ERROR: 3, AlertLevel.WARNING: 4, AlertLevel.INFO: 6}
_NOTICE: Final = 5
_REFERENCE: Final = re.compile(r"\$\{(?:env|secret):")


class SyslogConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Who is told."""

    address: Annotated[str, Meta(description="unix:///dev/log or udp://host:514.")] = "unix:///dev/log"
    facility: Annotated[int, Meta(ge=0, le=23, description="1 is user, 16 to 23 are local0 to local7.")] = 1

    def __post_init__(self) -> None:
        # It is checked as it is written, too, before variables are filled in.
        if not _REFERENCE.search(self.address):
            self.target()

    def target(self) -> tuple[socket.AddressFamily, str | tuple[str, int]]:
        """Return the kind of socket, and where it sends to.

        Raises:
            ValueError: the address is none.
        """
        parts = urlsplit(self.address)
        if parts.scheme == "unix" and parts.path:
            return socket.AF_UNIX, parts.path
        if parts.scheme == "udp" and parts.hostname:
            family = socket.AF_INET6 if ":" in parts.hostname else socket.AF_INET
            return family, (parts.hostname, parts.port or 514)
        raise ValueError("address is none of unix:///path and udp://host:port")


class SyslogSink:
    """Sends and forgets, as syslog does: over UDP, nobody says whether a message arrived."""

    Config = SyslogConfig

    def __init__(self, config: SyslogConfig, context: SinkContext) -> None:
        self._config = config
        self._family, self._target = config.target()

    def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
        """Send one alert.

        Raises:
            SinkError: the daemon is not there, or does not take it in time.
        """
        alert, over = notice.alert, notice.kind is NoticeKind.RESOLVED
        words = [f"[{'RESOLVED' if over else alert.level.upper()}]", str(alert.slot or "interlock"), alert.message]
        if notice.resolution:
            words.append(f"({notice.resolution})")
        # The names of others come first: what is too long is cut at its end.
        others = sorted({str(each.slot or each.alert_type) for each in (*notice.folded, *notice.grouped)})
        if others:
            words.insert(2, f"[with {', '.join(others)[:500]}]")
        self._send(_NOTICE if over else _SEVERITY[alert.level], notice.at, alert.alert_type, " ".join(words), timeout)

    def publish(self, event: LifecycleEvent, *, timeout: timedelta) -> None:
        """Send the end of one run.

        Raises:
            SinkError: as for `deliver`.
        """
        self._send(_NOTICE, event.at, event.event_type, f"{event.slot} {event.run_id} {event.status}", timeout)

    def _send(self, severity: int, at: datetime, kind: str, words: str, timeout: timedelta) -> None:
        head = f"<{self._config.facility * 8 + severity}>1 {at.isoformat()} - interlock - {kind} - "
        data = (head + _in_one_line(words)).encode()[:LONGEST].decode(errors="ignore").encode()
        try:
            with socket.socket(self._family, socket.SOCK_DGRAM) as line:
                line.settimeout(timeout.total_seconds())
                line.sendto(data, self._target)
        except OSError as exc:
            raise SinkError(f"nothing could be sent to {self._config.address}: {exc.strerror or exc}") from exc


def _in_one_line(words: str) -> str:
    return "".join(character if character.isprintable() else " " for character in words)


if TYPE_CHECKING:
    from interlock.ports.sinks import Sink, Subscriber

    def _is_both(it: SyslogSink) -> tuple[Sink, Subscriber]:
        return it, it
