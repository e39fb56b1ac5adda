"""From a reading of a volume to the bytes of its segmentation: time, memory, and how both grow.

Ten segments on slices of 512 by 512 pixels, BINARY, each on a tenth of the slices ("part") or on all of them
("full"). The clock runs from the reading to the encoded file, all checks of the object included. Every
measurement is a process of its own on two cores, with one small object encoded first; its peak is all that
the process ever held, label map and libraries included. highdicom's own constructor and writer get the same.

    python benchmarks/segmentation.py [--json FILE] [--repeats N]
"""

from __future__ import annotations

import argparse
import cProfile
import io
import json
import os
import platform
import pstats
import resource
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from highdicom import Volume
from highdicom.seg import Segmentation
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset

from dicom_io.results import PackageIdentity, ResultIdentity, VolumeContext, derived_uid, encoded_bytes
from dicom_io.results.segmentation import encode_segmentation
from dicom_io.results.segmentation.overlay import HEADER_STAND_INS
from dicom_io.results.segmentation.volume import segment_descriptions
from models.concepts import Concept
from models.results import Assessment, Box
from models.volume_results import Segment, SliceSource, VolumeFinding, VolumeReading

CORES = 2
SIZE = 512
SEGMENTS = 10
SPACING_MM = 0.5
LIMIT_PART_S, LIMIT_FULL_S, LIMIT_PEAK_MB = 2.0, 8.0, 1500.0
CASES = (("part", 100), ("part", 600), ("full", 100), ("full", 600))


def main() -> int:
    """Measure and report; status 1 where a limit is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--one", nargs=3, metavar=("WRITER", "COVER", "SLICES"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one[0], options.one[1], int(options.one[2]))))
        return 0
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    load = round(os.getloadavg()[0], 2)
    cases = {
        f"{cover}_{slices}": repeated("secondread", cover, slices, options.repeats) for cover, slices in CASES
    }
    alone = {
        f"{cover}_600": repeated("highdicom", cover, 600, min(options.repeats, 3))
        for cover in ("part", "full")
    }
    report: dict[str, Any] = {
        "benchmark": "segmentation",
        "definition": "seconds from a reading (512 x 512, 10 segments) to the bytes of its BINARY "
        "segmentation, checks included; peak RSS of the process; median of the repeats",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(load),
        "versions": {name: version(name) for name in ("secondread", "highdicom", "pydicom", "numpy")},
        "repeats": options.repeats,
        "cases": cases,
        "highdicom_alone": alone,
        "ratio_600_to_100_slices_part": ratio(cases["part_600"], cases["part_100"]),
        "ratio_600_to_100_slices_full": ratio(cases["full_600"], cases["full_100"]),
        "ratio_to_highdicom_alone_part": ratio(alone["part_600"], cases["part_600"]),
        "ratio_to_highdicom_alone_full": ratio(alone["full_600"], cases["full_600"]),
        "limits": {
            "part_600_s": LIMIT_PART_S,
            "full_600_s": LIMIT_FULL_S,
            "peak_mb": LIMIT_PEAK_MB,
            "ratio": 6.0,
        },
    }
    print(json.dumps(report, indent=2))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    kept = (
        cases["part_600"]["median_s"] <= LIMIT_PART_S
        and cases["full_600"]["median_s"] <= LIMIT_FULL_S
        and max(case["peak_mb"] for case in cases.values()) <= LIMIT_PEAK_MB
        and max(report["ratio_600_to_100_slices_part"], report["ratio_600_to_100_slices_full"]) <= 6.0
    )
    return 0 if kept else 1


def ratio(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Return how many times as long one takes as the other."""
    return round(one["median_s"] / other["median_s"], 2)


def repeated(writer: str, cover: str, slices: int, repeats: int) -> dict[str, Any]:
    """Measure one case in processes of their own."""
    runs = []
    for _ in range(repeats):
        command = [sys.executable, __file__, "--one", writer, cover, str(slices)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        runs.append(json.loads(done.stdout))
    print(f"{writer} {cover} {slices}: {[run['seconds'] for run in runs]} s", file=sys.stderr)
    return {
        "frames": runs[0]["frames"],
        "megabytes": runs[0]["megabytes"],
        "median_s": round(statistics.median(run["seconds"] for run in runs), 3),
        "longest_s": max(run["seconds"] for run in runs),
        "peak_mb": max(run["peak_mb"] for run in runs),
        **{key: runs[0][key] for key in ("share_of_profile",) if key in runs[0]},
    }


def one(writer: str, cover: str, slices: int) -> dict[str, Any]:
    """Encode once, after a small one; at the end once more under the profiler, for the shares."""
    write = by_secondread if writer == "secondread" else by_highdicom
    write(reading_of(cover, 10))
    context = reading_of(cover, slices)
    start = time.perf_counter()
    frames, data = write(context)
    seconds = time.perf_counter() - start
    result = {
        "seconds": round(seconds, 3),
        "frames": frames,
        "megabytes": round(len(data) / 1e6, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
    }
    del data
    if writer == "secondread":
        result["share_of_profile"] = shares(context)
    return result


def by_secondread(context: VolumeContext) -> tuple[int, bytes]:
    """Encode with SecondRead."""
    made = encode_segmentation(context)
    return int(made.NumberOfFrames), encoded_bytes(made)


def by_highdicom(context: VolumeContext) -> tuple[int, bytes]:
    """Encode the same with highdicom alone."""
    made = Segmentation(
        source_images=context.segmented_headers,
        pixel_array=context.reading.labels,
        segmentation_type="BINARY",
        segment_descriptions=segment_descriptions(context),
        **HEADER_STAND_INS,
    )
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return int(made.NumberOfFrames), buffer.getvalue()


def shares(context: VolumeContext) -> dict[str, float]:
    """Return which part of the time goes where, in percent."""
    profile = cProfile.Profile()
    profile.runcall(by_secondread, context)
    stats: dict[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    named = {
        "planes_of": "geometry of the images",
        "_counts": "voxels by slice and segment",
        "_prototype": "highdicom's prototype",
        "packed_bits": "packing pixels",
        "element": "descriptions of frames",
        "_pixel_problems": "check: pixels and volumes",
        "_stored_frames": "check: reading frame descriptions",
        "encoded_bytes": "writing",
    }
    total = next(row[3] for (_, _, name), row in stats.items() if name == "by_secondread")
    return {
        words: round(100 * max(row[3] for (_, _, n), row in stats.items() if n == name) / total, 1)
        for name, words in named.items()
    }


def reading_of(cover: str, slices: int) -> VolumeContext:
    """Return a reading of ``slices`` classic MR images with ten segments."""
    labels = np.zeros((slices, SIZE, SIZE), dtype=np.uint8)
    kind = Concept("108369006", "SCT", "Neoplasm")
    category = Concept("49755003", "SCT", "Morphologically Abnormal Structure")
    findings = []
    for number in range(1, SEGMENTS + 1):
        first = 0 if cover == "full" else (number - 1) * slices // SEGMENTS
        last = slices if cover == "full" else number * slices // SEGMENTS
        rows = slice(45 * number, 45 * number + 40)
        labels[first:last, rows, 100:300] = number
        millilitres = (last - first) * 40 * 200 * SPACING_MM**2 / 1000
        segment = Segment(number, f"Part {number}", category, kind)
        findings.append(VolumeFinding(segment, millilitres, first, Box(rows.start, 100, rows.stop, 300)))
    headers = tuple(header(index) for index in range(slices))
    reading = VolumeReading(
        labels=Volume(
            labels,
            np.array([[0, 0, SPACING_MM, 0], [0, SPACING_MM, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], dtype=float),
            coordinate_system="PATIENT",
            frame_of_reference_uid="2.25.7",
        ),
        slices=tuple(SliceSource(str(h.SOPClassUID), str(h.SOPInstanceUID)) for h in headers),
        findings=tuple(findings),
        searched=(findings[0].segment,),
        case_score=0.9,
        members=5,
        operating_point=0.5,
    )
    return VolumeContext(
        headers=headers,
        reading=reading,
        assessment=Assessment("not-assessed"),
        package=PackageIdentity(
            "phantom", "1.0.0", "Phantom", derived_uid("device", "phantom"), "a" * 64, kind, "SR-BENCH"
        ),
        identity=ResultIdentity("f" * 64, "a" * 64, "c" * 64),
        content_time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )


def header(index: int) -> Dataset:
    """Return the header of one slice as a reader sees it: raw, from bytes."""
    made = Dataset()
    values = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "SOPInstanceUID": f"2.25.9{index:04d}",
        "StudyInstanceUID": "2.25.5", "SeriesInstanceUID": "2.25.6", "FrameOfReferenceUID": "2.25.7",
        "StudyDate": "20260102", "StudyTime": "030405", "StudyID": "1", "AccessionNumber": "1",
        "PatientName": "Phantom", "PatientID": "P", "PatientBirthDate": "", "PatientSex": "O",
        "Modality": "MR", "SeriesNumber": 1, "InstanceNumber": index + 1, "Rows": SIZE, "Columns": SIZE,
        "ImagePositionPatient": [0, 0, index], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [SPACING_MM, SPACING_MM], "SliceThickness": 1,
    }  # fmt: skip
    for keyword, value in values.items():
        setattr(made, keyword, value)
    buffer = io.BytesIO()
    dcmwrite(buffer, made, implicit_vr=False, little_endian=True)
    buffer.seek(0)
    return dcmread(buffer, force=True)


def machine(load: float) -> dict[str, Any]:
    """Describe what it was measured on."""
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores_used": CORES,
        "load_before": load,
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(main())
