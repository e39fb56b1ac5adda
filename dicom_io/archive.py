"""A small archive node: a Storage and Verification SCP that writes files into a folder, and commits them.

It stands in for a PACS in the demonstration and in tests; it has no index and forgets nothing.
"""

from __future__ import annotations

import ssl
import threading
import uuid
from io import BytesIO
from pathlib import Path
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.presentation import build_context
from pynetdicom.transport import ThreadedAssociationServer

from dicom_io.archive_commitment import CommitmentProvider, CommitmentService
from dicom_io.commitment import COMMITMENT_PUSH_MODEL, COMMITMENT_SYNTAXES
from dicom_io.receive.contexts import STORAGE_CLASSES, TRANSFER_SYNTAXES, VERIFICATION
from dicom_io.receive.head import UnreadableDataSet, read_head
from dicom_io.receive.part10 import encode_file_meta
from dicom_io.receive.statuses import FAILURES, failure_of

__all__ = ["ArchiveNode"]

_MAXIMUM_BYTES = 1 << 30


class ArchiveNode:
    """Listens from :meth:`start` to :meth:`stop`; also a context manager.

    Parameters
    ----------
    folder : Path
        Objects go to ``study/series/instance.dcm`` in it.
    ae_title : str
        Other called AE titles are rejected.
    host, port
        Address to bind; port 0 takes a free one.
    commitment : CommitmentService, optional
        Offers storage commitment, and says how it reports.
    tls : ssl.SSLContext, optional
        Speaks TLS with this server's side.
    """

    def __init__(
        self,
        folder: Path,
        ae_title: str = "ARCHIVE",
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        commitment: CommitmentService | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.folder = folder
        self.ae_title = ae_title
        self._address = (host, port)
        self._commitment = commitment
        self._tls = tls
        self._server: ThreadedAssociationServer | None = None
        self._changed = threading.Condition()

    def start(self) -> None:
        """Bind the port and listen in threads."""
        self.folder.mkdir(parents=True, exist_ok=True)
        entity = AE(self.ae_title)
        entity.require_called_aet = True
        entity.maximum_associations = 64
        contexts = [build_context(uid, list(TRANSFER_SYNTAXES)) for uid in sorted(STORAGE_CLASSES)]
        handlers: list[Any] = [(evt.EVT_C_STORE, self._store)]
        if self._commitment is not None:
            contexts.append(build_context(COMMITMENT_PUSH_MODEL, list(COMMITMENT_SYNTAXES)))
            provider = CommitmentProvider(self.ae_title, self._commitment, self._find)
            handlers.append((evt.EVT_N_ACTION, provider.act))
        self._server = entity.start_server(
            self._address,
            block=False,
            contexts=[build_context(VERIFICATION), *contexts],
            evt_handlers=handlers,
            ssl_context=self._tls,
        )

    def stop(self) -> None:
        """Stop listening; open associations are aborted."""
        server, self._server = self._server, None
        if server is not None:
            for association in server.active_associations:
                association.abort()
            server.shutdown()

    def __enter__(self) -> ArchiveNode:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port bound, or the one that will be."""
        return int(self._server.server_address[1]) if self._server is not None else self._address[1]

    def received(self, study_uid: str) -> list[Path]:
        """Return the files of a study, sorted."""
        return sorted((self.folder / study_uid).glob("*/*.dcm"))

    def wait(self, study_uid: str, count: int, timeout_s: float) -> list[Path]:
        """Return the files of a study as soon as there are ``count``, or what there is after the timeout."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.received(study_uid)) >= count, timeout_s)
        return self.received(study_uid)

    def _find(self, sop_instance_uid: str) -> Path | None:
        return next(self.folder.glob(f"*/*/{sop_instance_uid}.dcm"), None)

    def _store(self, event: evt.Event) -> int:
        data = event.encoded_dataset(include_meta=False)
        syntax = str(event.context.transfer_syntax)
        try:
            head = read_head(BytesIO(data), len(data), syntax, _MAXIMUM_BYTES, self.folder)
            folder = self.folder / head.study_instance_uid / head.series_instance_uid
            folder.mkdir(parents=True, exist_ok=True)
            temporary = folder / f".{uuid.uuid4().hex}.part"
            prefix = encode_file_meta(head.sop_class_uid, head.sop_instance_uid, syntax)
            temporary.write_bytes(prefix + data)
            temporary.replace(folder / f"{head.sop_instance_uid}.dcm")
        except UnreadableDataSet as error:
            return FAILURES[error.code].status
        except OSError as error:
            return failure_of(error).status
        with self._changed:
            self._changed.notify_all()
        return 0x0000
