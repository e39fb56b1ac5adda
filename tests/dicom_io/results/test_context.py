from __future__ import annotations

from pathlib import Path

import pytest

from dicom_io.results import PackageIdentity, ResultInvalid
from models.concepts import Concept
from models.package import Package, PackageManifest

MANIFEST = PackageManifest.model_validate(
    {
        "package": {
            "name": "blob",
            "version": "1.2.3",
            "task": "detect",
            "family": "centre-heatmap",
            "title": "Blob detector",
            "intended_use": "Tests.",
            "limitations": ["Knows nothing."],
            "licence": "Apache-2.0",
            "created": "2026-01-01",
        },
        "input": {"modalities": ["CR"]},
        "tensor": {"name": "image", "shape": [1, 1, 8, 8]},
        "outputs": [{"name": "centre", "shape": [1, 1, 2, 2]}],
        "members": [{"file": "a.onnx", "sha256": "0" * 64, "bytes": 1, "opset": 20, "ir_version": 10}],
        "findings": [{"key": "nodule", "code": "27925004", "scheme": "SCT", "meaning": "Nodule"}],
        "operating_point": {"score": 0.5, "definition": "none"},
        "resources": {"memory_mb": 100},
    }
)


def test_a_package_without_a_serial_number_has_no_identity() -> None:
    with pytest.raises(ResultInvalid, match="lacks serial"):
        PackageIdentity.of(Package(MANIFEST, Path(), "ab" * 32), serial="")


def test_the_identity_of_a_package_is_what_its_manifest_says() -> None:
    package = Package(MANIFEST, Path(), "ab" * 32)
    identity = PackageIdentity.of(package, serial="SR-1")
    assert (identity.name, identity.version, identity.title) == ("blob", "1.2.3", "Blob detector")
    assert identity.finding == Concept("27925004", "SCT", "Nodule")
    assert (identity.device_uid, identity.content_hash) == (package.device_uid, package.content_hash)
    assert identity.limitations == ("Knows nothing.",)
    assert identity.serial == "SR-1"
    other = PackageIdentity.of(Package(MANIFEST, Path(), "cd" * 32), serial="SR-1")
    assert other.device_uid != identity.device_uid
