"""A certificate that vouches for itself, for servers that speak TLS."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.servers.base import HOST, ServerMissing, program


def certificate(folder: Path, host: str = HOST) -> tuple[Path, Path]:
    """Make a certificate for a host and its key, or raise `ServerMissing`. Whoever trusts it trusts its own authority."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    kind = "IP" if host[0].isdigit() else "DNS"
    words = [program("openssl", "apt-get install openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes"]
    words += ["-days", "3650", "-subj", f"/CN={host}", "-addext", f"subjectAltName={kind}:{host}"]
    made = subprocess.run([*words, "-keyout", str(key), "-out", str(cert)], check=False, capture_output=True, text=True)
    if made.returncode:
        raise ServerMissing(f"openssl cannot make a certificate here: {made.stderr.strip()}")
    return cert, key
