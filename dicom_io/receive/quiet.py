"""Keeps values of data sets out of the logs of the libraries that we use."""

from __future__ import annotations

import logging
import warnings

__all__ = ["quiet_libraries"]


def quiet_libraries() -> None:
    """Silence messages that quote values: warnings of pydicom, warnings and errors of pynetdicom.

    What they are about is said by the records and logs of the listener, in words without values.
    """
    logging.getLogger("pydicom").setLevel(logging.ERROR)
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"pydicom\.")
