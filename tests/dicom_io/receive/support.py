"""What the tests of the listener share: a recorder in memory, objects made up, a peer that says anything."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import UID, ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, build_context
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode

from dicom_io.receive.records import (
    AssociationRecord,
    QuarantinedInstance,
    RefusedInstance,
    SilentObserver,
    StoredInstance,
)

CR = str(ComputedRadiographyImageStorage)
CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = str(ExplicitVRLittleEndian)
IMPLICIT = "1.2.840.10008.1.2"
MARKER = "Zebra^Quagga"


class MemoryRecorder:
    """Keeps records in memory; ``fail`` names methods that raise."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.instances: dict[str, StoredInstance] = {}
        self.rows = 0
        self.quarantined: list[QuarantinedInstance] = []
        self.refused: list[RefusedInstance] = []
        self.opened: list[AssociationRecord] = []
        self.closed: list[AssociationRecord] = []
        self.fail: dict[str, BaseException] = {}
        self.before_commit: Callable[[StoredInstance], None] = lambda _instance: None

    def _check(self, name: str) -> None:
        if name in self.fail:
            raise self.fail[name]

    def find_instance(self, sop_instance_uid: str) -> StoredInstance | None:
        self._check("find_instance")
        with self.lock:
            return self.instances.get(sop_instance_uid)

    def record_instance(self, instance: StoredInstance) -> None:
        self.before_commit(instance)
        self._check("record_instance")
        with self.lock:
            self.instances[instance.sop_instance_uid] = instance
            self.rows += 1
        self._check("after_commit")

    def record_quarantined(self, instance: QuarantinedInstance) -> None:
        self._check("record_quarantined")
        self.quarantined.append(instance)

    def record_refused(self, refused: RefusedInstance) -> None:
        self._check("record_refused")
        self.refused.append(refused)

    def association_opened(self, record: AssociationRecord) -> None:
        self._check("association_opened")
        self.opened.append(record)

    def association_closed(self, record: AssociationRecord) -> None:
        self._check("association_closed")
        self.closed.append(record)

    def ends(self, count: int = 1, timeout: float = 5.0) -> list[str]:
        """Wait for ``count`` ends and return their reasons."""
        until(lambda: len(self.closed) >= count, timeout)
        return [record.end_reason for record in self.closed]


@dataclass
class CountingObserver(SilentObserver):
    """Remembers the names of what it heard."""

    heard: list[str] = field(default_factory=list)
    rejections: list[str] = field(default_factory=list)

    def association_started(self, record: AssociationRecord) -> None:
        self.heard.append("started")

    def association_ended(self, record: AssociationRecord) -> None:
        self.heard.append("ended")

    def association_rejected(self, record: AssociationRecord, reason_code: str) -> None:
        self.heard.append("rejected")
        self.rejections.append(reason_code)

    def instance_stored(self, instance: StoredInstance, seconds: float) -> None:
        assert seconds > 0
        self.heard.append("stored")

    def instance_repeated(self, instance: StoredInstance, seconds: float) -> None:
        self.heard.append("repeated")

    def instance_quarantined(self, instance: QuarantinedInstance, seconds: float) -> None:
        self.heard.append("quarantined")

    def instance_refused(self, refused: RefusedInstance, size_bytes: int, seconds: float) -> None:
        self.heard.append("refused")


def until(condition: Callable[[], Any], timeout: float = 5.0) -> Any:
    """Wait for a condition; fail after the timeout."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)
    return value


def make_film(rows: int = 16, columns: int = 16, value: int = 7, **changes: Any) -> Dataset:
    """Return a small CR film with made-up identifiers."""
    film = Dataset()
    film.SpecificCharacterSet = "ISO_IR 100"
    film.ImageType = ["DERIVED", "SECONDARY"]
    film.SOPClassUID = CR
    film.SOPInstanceUID = generate_uid()
    film.Modality = "CR"
    film.PatientName = MARKER
    film.PatientID = "Z-0001"
    film.StudyInstanceUID = generate_uid()
    film.SeriesInstanceUID = generate_uid()
    film.SamplesPerPixel = 1
    film.PhotometricInterpretation = "MONOCHROME2"
    film.Rows, film.Columns = rows, columns
    film.BitsAllocated, film.BitsStored, film.HighBit, film.PixelRepresentation = 16, 12, 11, 0
    for name, item in changes.items():
        setattr(film, name, item)
    film.PixelData = np.full((rows, columns), value, np.uint16).tobytes()
    return film


def encoded(dataset: Dataset, syntax: str = EXPLICIT) -> bytes:
    """Return the data set's bytes in an uncompressed syntax."""
    buffer = DicomBytesIO()
    uid = UID(syntax)
    buffer.is_implicit_VR, buffer.is_little_endian = uid.is_implicit_VR, uid.is_little_endian
    write_dataset(buffer, dataset)
    return buffer.getvalue()


def save(dataset: Dataset, path: Path, syntax: str = EXPLICIT) -> Path:
    """Write a Part 10 file."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.save_as(path, enforce_file_format=True)
    return path


class Sender:
    """A pynetdicom requestor that sends bytes as they are, whatever the command says."""

    def __init__(
        self,
        port: int,
        pairs: list[tuple[str, str]] | None = None,
        calling: str = "SENDER",
        called: str = "SECONDREAD",
    ) -> None:
        entity = AE(calling)
        entity.dimse_timeout = 20
        contexts = [build_context(a, b) for a, b in (pairs or [(CR, EXPLICIT)])]
        self.association = entity.associate("127.0.0.1", port, contexts=contexts, ae_title=called)
        self._message = 0

    def __enter__(self) -> Sender:
        assert self.association.is_established
        return self

    def __exit__(self, *_: object) -> None:
        if self.association.is_established:
            self.association.release()

    def store(
        self,
        data: bytes | Dataset,
        class_uid: str = CR,
        instance_uid: str | None = None,
        context: int = 0,
    ) -> int | None:
        """Send one C-STORE request; return the status, or None without an answer."""
        if isinstance(data, Dataset):
            instance_uid = instance_uid or str(data.SOPInstanceUID)
            data = encoded(data, str(self.association.accepted_contexts[context].transfer_syntax[0]))
        request = C_STORE()
        self._message += 1
        request.MessageID = self._message
        request.Priority = 2
        request.AffectedSOPClassUID = class_uid
        request.AffectedSOPInstanceUID = instance_uid or "1.2.3"
        request.DataSet = BytesIO(data)
        association = self.association
        association._reactor_checkpoint.clear()
        while not association._is_paused:
            time.sleep(0.0005)
        association.dimse.send_msg(request, association.accepted_contexts[context].context_id)
        _, answer = association.dimse.get_msg(block=True)
        association._reactor_checkpoint.set()
        self.comment = getattr(answer, "ErrorComment", None)
        return None if answer is None else int(answer.Status)


class RawPeer:
    """A socket and a few hand-made PDUs (PS3.8 9.3)."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)

    def __enter__(self) -> RawPeer:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def associate(self, abstract: str = CR, syntax: str = EXPLICIT, maximum_pdu: int = 16384) -> int:
        """Ask for an association with one context (id 1); return the type of the answer."""
        context = _item(
            0x20, bytes([1, 0, 0, 0]) + _item(0x30, abstract.encode()) + _item(0x40, syntax.encode())
        )
        user = _item(0x50, _item(0x51, struct.pack(">L", maximum_pdu)) + _item(0x52, b"1.2.3"))
        body = struct.pack(">HH16s16s32x", 1, 0, b"SECONDREAD".ljust(16), b"RAW".ljust(16))
        body += _item(0x10, b"1.2.840.10008.3.1.1.1") + context + user
        self.socket.sendall(_pdu(1, body))
        return self.answer()[0]

    def command(
        self, class_uid: str = CR, instance_uid: str = "1.2.3", field_: int = 0x0001, data_set: int = 1
    ) -> None:
        """Send a command set that announces a data set, or none (0x0101)."""
        command = Dataset()
        command.AffectedSOPClassUID = class_uid
        command.CommandField = field_
        command.MessageID = 1
        command.Priority = 2
        command.CommandDataSetType = data_set
        command.AffectedSOPInstanceUID = instance_uid
        body = encode(command, True, True)
        assert body is not None
        head = struct.pack("<HHLL", 0, 0, 4, len(body))
        self.fragment(head + body, 0x03)

    def fragment(self, data: bytes, header: int, context: int = 1) -> None:
        """Send one P-DATA-TF with one fragment; header 0 data, 2 last data, 1 command, 3 last command."""
        self.socket.sendall(_pdu(4, struct.pack(">LBB", len(data) + 2, context, header) + data))

    def answer(self) -> tuple[int, bytes]:
        """Return type and body of the next PDU; type 0 when the connection was closed."""
        try:
            head = self._read(6)
            if len(head) < 6:
                return 0, b""
            return head[0], self._read(struct.unpack(">L", head[2:])[0])
        except ConnectionError:
            return 0, b""

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count and (piece := self.socket.recv(count - len(data))):
            data += piece
        return data


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(body)) + body


def _pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBL", kind, 0, len(body)) + body
