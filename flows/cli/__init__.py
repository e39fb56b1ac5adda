"""The command line, ``secondread``."""

from flows.cli.app import main

__all__ = ["main"]
