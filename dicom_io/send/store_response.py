"""Reads the Store Instances Response: what a DICOMweb server did with each object.

References
----------
PS3.18 10.5.3 and Annex I (Store Instances Response Module), PS3.18 Annex F (DICOM JSON Model).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["StoreResponse", "UnreadableResponse", "parse_store_response"]

_FAILED = "00081198"
_REFERENCED = "00081199"
_INSTANCE_UID = "00081155"
_WARNING_REASON = "00081196"
_FAILURE_REASON = "00081197"
_PROCESSING_FAILURE = 0x0110
_LARGEST_STATUS = 0xFFFF


class UnreadableResponse(ValueError):
    """The answer is not a Store Instances Response in DICOM JSON."""


@dataclass(frozen=True, slots=True)
class StoreResponse:
    """What a server says of the objects of one request.

    Attributes
    ----------
    stored : dict of str to int
        Warning Reason (0008,1196), or 0x0000, by SOP Instance UID.
    failed : dict of str to int
        Failure Reason (0008,1197) by SOP Instance UID.
    """

    stored: dict[str, int]
    failed: dict[str, int]


def parse_store_response(body: bytes) -> StoreResponse:
    """Return the contents of a response; an object in both lists has failed.

    Raises
    ------
    UnreadableResponse
        The text says why.
    """
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableResponse("not JSON") from error
    stored: dict[str, int] = {}
    failed: dict[str, int] = {}
    for data_set in parsed if isinstance(parsed, list) else [parsed]:
        if not isinstance(data_set, dict):
            raise UnreadableResponse("not DICOM JSON")
        for item in _items(data_set, _REFERENCED):
            stored[_instance_uid(item)] = _number(item, _WARNING_REASON, 0x0000)
        for item in _items(data_set, _FAILED):
            uid = _first(item, _INSTANCE_UID)  # absent where not even that could be read of the object
            if isinstance(uid, str):
                failed[uid.strip("\0 ")] = _number(item, _FAILURE_REASON, _PROCESSING_FAILURE)
    return StoreResponse({uid: reason for uid, reason in stored.items() if uid not in failed}, failed)


def _items(data_set: dict[str, Any], tag: str) -> Iterator[dict[str, Any]]:
    element = data_set.get(tag)
    values = element.get("Value", []) if isinstance(element, dict) else element
    if values is None:
        return
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise UnreadableResponse("not DICOM JSON")
    yield from values


def _first(item: dict[str, Any], tag: str) -> Any:
    element = item.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return values[0] if isinstance(values, list) and values else None


def _instance_uid(item: dict[str, Any]) -> str:
    uid = _first(item, _INSTANCE_UID)
    if not isinstance(uid, str):
        raise UnreadableResponse("an object goes without its UID")
    return uid.strip("\0 ")


def _number(item: dict[str, Any], tag: str, default: int) -> int:
    try:
        number = int(_first(item, tag))
    except (TypeError, ValueError, OverflowError):
        return default
    return number if 0 <= number <= _LARGEST_STATUS else default
