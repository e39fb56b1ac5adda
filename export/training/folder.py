"""Where the training data lies."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["data_root"]


def data_root() -> Path:
    """Return the folder named by SECONDREAD_DATA.

    Raises
    ------
    RuntimeError
        If the variable is unset or names no folder.
    """
    value = os.environ.get("SECONDREAD_DATA")
    if not value or not Path(value).is_dir():
        raise RuntimeError("SECONDREAD_DATA: set it to the folder of training data")
    return Path(value)
