"""The version, on its own so that printing it costs nothing."""

__version__ = "0.1.0"
