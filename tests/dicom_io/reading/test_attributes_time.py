from __future__ import annotations

from datetime import datetime

import pytest
from pydicom.dataset import Dataset

from dicom_io.reading.attributes import acquired_at


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"AcquisitionDateTime": "20260301101112.123456+0100"}, "2026-03-01 10:11:12"),
        ({"AcquisitionDateTime": "20260301"}, "2026-03-01 00:00:00"),
        ({"AcquisitionDate": "20260301", "AcquisitionTime": "101112.5"}, "2026-03-01 10:11:12"),
        # a time without its date says nothing
        ({"AcquisitionTime": "101112", "StudyDate": "20260302", "StudyTime": "0930"}, "2026-03-02 09:30:00"),
        ({"StudyDate": "20261121"}, "2026-11-21 00:00:00"),
        ({"StudyDate": "20261231", "StudyTime": ""}, "2026-12-31 00:00:00"),
        ({"StudyDate": "20261121", "StudyTime": "10"}, "2026-11-21 10:00:00"),
        ({"StudyDate": "20261121", "StudyTime": "1030"}, "2026-11-21 10:30:00"),
        ({"StudyDate": "20261121", "StudyTime": "9999"}, "2026-11-21 00:00:00"),
        ({"SeriesDate": "20261399", "StudyDate": "20261121"}, "2026-11-21 00:00:00"),
        ({"AcquisitionDateTime": "yesterday", "SeriesDate": "20261120"}, "2026-11-20 00:00:00"),
        ({"StudyDate": "10111203"}, None),
        ({"StudyTime": "101112"}, None),
        ({}, None),
    ],
)
def test_when_images_were_made(attributes: dict[str, str], expected: str | None) -> None:
    header = Dataset()
    for keyword, value in attributes.items():
        header.add_new(keyword, "LO", value)
    found = acquired_at(header)
    assert found == (None if expected is None else datetime.fromisoformat(expected))
