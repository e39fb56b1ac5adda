"""The application's settings, which replace those of the package: our archive, our name, no one else."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

__all__ = ["CONFIGURATION_NAME", "SILENCED", "configuration"]

CONFIGURATION_NAME: Final = "app-config.js"
SILENCED: Final = ("init-service-worker.js", "sw.js")
"""Scripts of the package that load code from elsewhere; ours in their place remove what they left."""


def configuration() -> str:
    """Return ``app-config.js``."""
    return files("flows.viewer").joinpath("app-config.js").read_text(encoding="utf-8")
