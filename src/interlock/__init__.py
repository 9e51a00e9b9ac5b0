"""Interlock: a safety controller for data pipelines. Names are imported on first use, so that start-up stays fast."""

from __future__ import annotations

from interlock.version import __version__

__all__ = ["__version__"]
