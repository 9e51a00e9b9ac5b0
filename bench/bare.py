"""One route that does nothing, on the server that Interlock is served with: `python -m bench.bare HOST:PORT`."""

from __future__ import annotations

import sys
from datetime import timedelta

from litestar import Litestar, Response, get

from interlock.server.httpd import HttpServer
from interlock.server.listening import address_of, listen


@get(["/", "/livez"])
async def nothing() -> Response[bytes]:
    return Response(b'{"status":"ok"}', media_type="application/json")


if __name__ == "__main__":
    app = Litestar([nothing], openapi_config=None, logging_config=None)
    HttpServer(app, listen(address_of(sys.argv[1])), grace=timedelta(seconds=1)).run()
