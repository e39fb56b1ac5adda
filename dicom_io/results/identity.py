"""UIDs that follow from what was computed, so that a repeat is the same object."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["ResultIdentity", "derived_uid", "fingerprint"]

# Fixed for ever: another namespace would give every old result a new identity.
_NAMESPACE = uuid.UUID("6d1f0f5e-6d3c-5b0c-9c2b-3f6c5a1e7d42")


def derived_uid(*parts: str) -> str:
    """Return the UID that follows from ``parts``, as an integer UUIDv5 under 2.25 (PS3.5 B.2)."""
    name = "".join(f"{len(part)}:{part}" for part in parts)
    return f"2.25.{uuid.uuid5(_NAMESPACE, name).int}"


def fingerprint(instances: Iterable[tuple[str, str]]) -> str:
    """Digest what was read.

    Parameters
    ----------
    instances : iterable of (str, str)
        SOP Instance UID and SHA-256 of every instance that the package selects, in any order.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    lines = sorted(f"{uid}\t{digest}\n" for uid, digest in instances)
    return hashlib.sha256("".join(lines).encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class ResultIdentity:
    """All that a result follows from.

    Parameters
    ----------
    fingerprint : str
        What was read, see :func:`fingerprint`.
    package_hash : str
        What read it: content hash of the package.
    configuration_hash : str
        What else shapes the objects: installation, software version, options.
    revision : int
        From 1; a re-computation that differs is the next one.
    """

    fingerprint: str
    package_hash: str
    configuration_hash: str
    revision: int = 1

    def __post_init__(self) -> None:
        for name in ("fingerprint", "package_hash", "configuration_hash"):
            if not getattr(self, name):
                raise ValueError(f"{name} must not be empty")
        if self.revision < 1:
            raise ValueError(f"revision must be 1 or more, not {self.revision}")

    def uid(self, kind: str) -> str:
        """Return the UID of one thing of this result, e.g. ``structured-report`` or ``series:key-image``."""
        if not kind:
            raise ValueError("kind must not be empty")
        return derived_uid(
            self.fingerprint, self.package_hash, self.configuration_hash, str(self.revision), kind
        )
