"""Where the console script begins. It prints the version before anything slow is imported."""

from __future__ import annotations

import sys
from io import TextIOWrapper

from interlock.version import __version__


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        sys.stdout.write(f"interlock {__version__}\n")
        return
    if isinstance(sys.stdout, TextIOWrapper):
        # A terminal that cannot show a character is no reason to withhold an answer.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        from interlock.cli.main import run_cli

        code = run_cli(sys.argv[1:])
    except KeyboardInterrupt:  # before or after the command itself: there is nothing to say
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
