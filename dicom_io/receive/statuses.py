"""The one table of C-STORE answers: DIMSE status, reason code and the words the sender gets.

References
----------
PS3.4 B.2.3 (Storage), PS3.7 Annex C (general statuses).
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

__all__ = ["FAILURES", "SUCCESS", "Failure", "failure_of"]

SUCCESS = 0x0000


@dataclass(frozen=True, slots=True)
class Failure:
    """A refusal.

    Attributes
    ----------
    status : int
        DIMSE status.
    code : str
        Short reason for records and metrics.
    comment : str
        Error Comment (0000,0902): at most 64 characters, never a value of the data set.
    """

    status: int
    code: str
    comment: str


FAILURES = {
    failure.code: failure
    for failure in (
        Failure(0xA700, "out-of-space", "no space left in the inbox; send again later"),
        Failure(0xA700, "too-large", "the object is larger than this node accepts"),
        Failure(0x0110, "processing-failure", "the object could not be kept; send again later"),
        Failure(0x0122, "class-not-negotiated", "SOP class differs from the presentation context"),
        Failure(0xA900, "class-mismatch", "SOP class of command and data set differ"),
        Failure(0xA900, "instance-mismatch", "SOP instance UID of command and data set differ"),
        Failure(0xC000, "empty", "the request has no data set"),
        Failure(0xC000, "unparsable", "the data set cannot be parsed"),
        Failure(0xC000, "truncated", "the data set ends before its last element does"),
        Failure(0xC000, "missing-uid", "a study, series, class or instance UID is missing"),
        Failure(0xC000, "invalid-uid", "a study, series, class or instance UID is not a UID"),
    )
}

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def failure_of(error: BaseException) -> Failure:
    """Return the answer for an error of the file system or the recorder."""
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        return FAILURES["out-of-space"]
    return FAILURES["processing-failure"]
