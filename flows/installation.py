"""What makes one installation differ from another: its key, its serial number, its remembered times."""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dicom_io.pseudonym import Pseudonymiser, load_key

__all__ = ["Installation"]


@dataclass(frozen=True)
class Installation:
    """One installation, identified by a key that never leaves its state folder.

    Two installations that read the same study with the same package make different objects (their
    content times differ), so the serial number takes part in every derived UID.

    Parameters
    ----------
    state_dir : pathlib.Path
        The folder of ``secondread.toml``'s ``state_dir``; made with mode 0700 where it is missing.
    """

    state_dir: Path

    def __post_init__(self) -> None:
        self.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def _key(self) -> bytes:
        return load_key(self.state_dir / "pseudonym.key")

    @property
    def pseudonymiser(self) -> Pseudonymiser:
        """Turns Study Instance UIDs into pseudonyms that only this installation can make."""
        return Pseudonymiser(self._key)

    @property
    def serial(self) -> str:
        """Device Serial Number: stable for the installation, and it tells nothing of the key."""
        return hmac.new(self._key, b"device serial number", hashlib.sha256).hexdigest()[:12].upper()

    def content_time(self, identity: str, now: datetime | None = None) -> datetime:
        """Return when a result was first made here, so that a repeat outside the journal is the same object.

        Parameters
        ----------
        identity : str
            A derived UID of the result.
        now : datetime.datetime, optional
            Aware time to remember when there is none yet; the clock by default.

        Returns
        -------
        datetime.datetime
            Aware, in whole seconds, with the offset that the site had then: a clock change, or a process
            with another time zone, changes no object.
        """
        moment = (now or datetime.now(UTC)).astimezone().replace(microsecond=0)
        folder = self.state_dir / "content-times"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / identity
        draft = folder / f".{identity}.{os.getpid()}"
        draft.write_text(moment.isoformat())
        try:
            os.link(draft, path)
        except FileExistsError:
            return datetime.fromisoformat(path.read_text())
        finally:
            draft.unlink()
        return moment
