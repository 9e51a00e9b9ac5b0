"""Connections to AWS: one for each request, by certificates that are read once.

botocore keeps connections for later requests even where a request says that it is the last one, unless the answer says so
too. And it has the whole file of certificates read for every new connection, which takes longer than connecting.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from botocore.httpsession import URLLib3SSLError, get_cert_path

if TYPE_CHECKING:
    from ssl import SSLContext


def one_for_each_request(client: Any) -> None:
    """Let a client of botocore keep no connection, and read its certificates again only when their file is another one.

    botocore offers no way to ask for either. One that is built otherwise is left as it is.
    """
    session = getattr(getattr(client, "_endpoint", None), "http_session", None)
    plainly = getattr(session, "_setup_ssl_cert", None)
    if session is not None and plainly is not None:
        session._setup_ssl_cert = _Rules(plainly)  # noqa: SLF001


class _Rules:
    """Prepares a pool of connections for a request; `plainly` is how botocore does it.

    While the file of certificates cannot be read, nobody is trusted.
    """

    def __init__(self, plainly: Callable[[Any, str, Any], None]) -> None:
        self._plainly = plainly
        self._lock = threading.Lock()
        self._read: WeakKeyDictionary[SSLContext, tuple[str, int, int, int]] = WeakKeyDictionary()

    def __call__(self, pool: Any, url: str, verify: Any) -> None:
        """Prepare it; `verify` is True, False or the path of a file."""
        put = getattr(pool, "_put_conn", None)
        if put is not None and not isinstance(put, _LetGo):
            pool._put_conn = _LetGo(put)  # noqa: SLF001
        context = getattr(pool, "conn_kw", {}).get("ssl_context")
        if context is None or not verify or not url.lower().startswith("https"):
            self._plainly(pool, url, verify)
            return
        try:
            self._renew(context, get_cert_path(verify))
        except OSError as exc:
            raise URLLib3SSLError(exc) from exc  # as a connection says it that reads the file itself
        pool.cert_reqs = "CERT_REQUIRED"
        pool.ca_certs = None  # what to trust is in the context already

    def _renew(self, context: SSLContext, path: str) -> None:
        file = Path(path).stat()
        stamp = (path, file.st_mtime_ns, file.st_size, file.st_ino)
        with self._lock:
            if self._read.get(context) != stamp:
                context.load_verify_locations(path)
                self._read[context] = stamp


class _LetGo:
    """Takes a connection back into its pool by closing it. `put` is how urllib3 does it."""

    def __init__(self, put: Callable[[Any], None]) -> None:
        self._put = put

    def __call__(self, connection: Any) -> None:
        """Close it, and leave its place to a new one."""
        if connection is not None:
            connection.close()
        self._put(None)
