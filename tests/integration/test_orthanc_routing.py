"""The shipped Orthanc configuration: stable studies are routed, what SecondRead sent is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from dicom_io.archive import ArchiveNode
from dicom_io.results.loop_guard import MANUFACTURER
from dicom_io.send import NodeAddress, send_files
from tests.peers import start_orthanc, wait_until

pytestmark = pytest.mark.peer


def small_object(path: Path, study: str, manufacturer: str) -> Path:
    """Write a secondary capture of 8 by 8 pixels in a series of its own."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = SecondaryCaptureImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = generate_uid()
    made.StudyInstanceUID, made.SeriesInstanceUID = study, generate_uid()
    made.PatientID, made.PatientName, made.Modality = "T1", "Test^Routing", "OT"
    made.Manufacturer = manufacturer
    made.Rows = made.Columns = 8
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation, made.SamplesPerPixel = 7, 0, 1
    made.PhotometricInterpretation, made.PixelData = "MONOCHROME2", bytes(64)
    made.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("route_results", [False, True])
def test_own_results_are_routed_only_where_that_is_asked_for(tmp_path: Path, route_results: bool) -> None:
    study = generate_uid()
    image = small_object(tmp_path / "image.dcm", study, "Somebody")
    result = small_object(tmp_path / "result.dcm", study, MANUFACTURER)
    with (
        ArchiveNode(tmp_path / "node", "SECONDREAD") as node,
        start_orthanc(tmp_path, secondread_port=node.port, route_results=route_results) as orthanc,
    ):
        pacs = NodeAddress(orthanc.ae_title, orthanc.host, orthanc.dicom_port)
        assert send_files([image], pacs, "MODALITY")[0].delivered
        wait_until("the image to be routed", lambda: node.received(study), 20)
        assert send_files([result], pacs, "ANYBODY")[0].delivered

        def stable_again() -> bool:
            changes = orthanc.get("/changes", limit="1000")["Changes"]
            return sum(change["ChangeType"] == "StableStudy" for change in changes) == 2

        wait_until("the study to be stable again", stable_again, 20)
        wait_until("Orthanc's jobs to end", lambda: all_jobs_ended(orthanc), 20)
        assert len(node.received(study)) == (2 if route_results else 1)


def all_jobs_ended(orthanc: object) -> bool:
    """Return whether no job of Orthanc waits or runs."""
    jobs = orthanc.get("/jobs", expand="")  # type: ignore[attr-defined]
    return all(job["State"] in {"Success", "Failure"} for job in jobs)
