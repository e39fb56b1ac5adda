"""CAD reports for CAD workstations: Chest CAD SR and Mammography CAD SR."""

from __future__ import annotations

from dicom_io.results.cad.chest import encode_chest_cad_report
from dicom_io.results.cad.codes import CHEST_FINDINGS
from dicom_io.results.cad.mammography import encode_mammography_cad_report

__all__ = ["CHEST_FINDINGS", "encode_chest_cad_report", "encode_mammography_cad_report"]
