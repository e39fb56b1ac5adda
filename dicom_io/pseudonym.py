"""A keyed pseudonym, by which logs, run names and tables speak of a study."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path

__all__ = ["KEY_BYTES", "PseudonymKeyError", "Pseudonymiser", "load_key"]

KEY_BYTES = 32
_CHARACTERS = 10


class PseudonymKeyError(RuntimeError):
    """The key file cannot be used; the text says why and what to do."""


class Pseudonymiser:
    """Turns UIDs into short names that nobody without the key can turn back.

    Parameters
    ----------
    key : bytes
        At least 32 secret bytes, the same for the life of an installation.

    Raises
    ------
    PseudonymKeyError
        The key is too short.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < KEY_BYTES:
            raise PseudonymKeyError(f"a pseudonym key has at least {KEY_BYTES} bytes, not {len(key)}")
        self._key = key

    def study(self, uid: str) -> str:
        """Return ``S-`` and ten characters of base32: 50 bits, the same for the same study and key."""
        digest = hmac.new(self._key, f"study:{uid}".encode(), hashlib.sha256).digest()
        return "S-" + base64.b32encode(digest).decode("ascii")[:_CHARACTERS]

    def patient(self, patient_id: str, issuer: str) -> str:
        """Return 32 hexadecimal digits, the same for the same Patient ID, issuer and key.

        It tells studies of one patient from those of others, inside the journal alone.
        """
        content = f"patient:{len(issuer)}:{issuer}:{patient_id}".encode()
        return hmac.new(self._key, content, hashlib.sha256).hexdigest()[:32]


def load_key(path: Path) -> bytes:
    """Read the key, or make it: 32 random bytes that only the owner may read.

    Processes that start together agree on one key: the file appears whole or not at all, and the first one
    stays.

    Raises
    ------
    PseudonymKeyError
        The file is too short, or others may read it.
    """
    if not path.exists():
        _create(path)
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise PseudonymKeyError(f"{path} may be read by others (mode {mode:o}): chmod 600 it")
    key = path.read_bytes()
    if len(key) < KEY_BYTES:
        raise PseudonymKeyError(
            f"{path} holds {len(key)} bytes instead of {KEY_BYTES}: restore it from a backup; "
            "with a new key every study gets a new pseudonym"
        )
    return key


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)  # unlike a rename, never replaces the key of a process that was faster
        except FileExistsError:
            pass
    finally:
        temporary.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
