"""Four views of 4,000 x 3,000 pixels through the mammography package: from files to encoded results.

A made-up examination (two breasts, CC and MLO, a mass in one of them) lies in a folder. The clock runs over
opening the networks, gathering, decoding, all members, pairing, report and key images. Each repeat is a
process of its own on two cores, and its peak is all that it ever held.

    python benchmarks/mammography.py [--json FILE] [--repeats N] [--package NAME] [--folder PACKAGES]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

CORES = 2
SHAPE = (4000, 3000)
LIMIT_S, LIMIT_PEAK_MB = 20.0, 2000.0


def main() -> int:
    """Measure and report; status 1 where a limit is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--package", default="mammography")
    parser.add_argument("--folder", type=Path, help="a folder of packages beside the shipped ones")
    parser.add_argument("--one", type=Path, metavar="STUDY", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    if options.one:
        print(json.dumps(one(options.package, options.one, options.folder)))
        return 0
    load = round(os.getloadavg()[0], 2)
    with tempfile.TemporaryDirectory() as folder:
        write_study(Path(folder))
        runs = [repeat(options.package, Path(folder), options.folder) for _ in range(options.repeats)]
    total, peak = [run["total_s"] for run in runs], max(run["peak_mb"] for run in runs)
    report: dict[str, Any] = {
        "benchmark": "mammography",
        "definition": f"seconds from four DICOM files of {SHAPE[0]} x {SHAPE[1]} pixels to encoded results, "
        "networks opened within; peak RSS",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpu": platform.processor() or platform.machine(),
            "cores_used": CORES,
            "load_before": load,
            "python": platform.python_version(),
        },
        "versions": {name: version(name) for name in ("secondread", "onnxruntime", "highdicom", "numpy")},
        "package": options.package,
        "members": runs[0]["members"],
        "images": runs[0]["images"],
        "repeats": options.repeats,
        "median_s": round(statistics.median(total), 2),
        "seconds_2_cores": round(statistics.median(total), 2),
        "longest_s": round(max(total), 2),
        "median_by_stage_s": {
            stage: round(statistics.median(run["stages_s"][stage] for run in runs), 3)
            for stage in runs[0]["stages_s"]
        },
        "peak_rss_mb": round(peak),
        "limits": {"median_s": LIMIT_S, "peak_rss_mb": LIMIT_PEAK_MB},
    }
    text = json.dumps(report, indent=2)
    print(text)
    if options.json is not None:
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0 if report["median_s"] <= LIMIT_S and peak <= LIMIT_PEAK_MB else 1


def write_study(folder: Path) -> None:
    """Write the four views of a screening examination."""
    from dicom_io.mammogram_phantoms import write_breast_phantoms  # noqa: PLC0415
    from models.phantoms.breast import PhantomMass, breast_phantom  # noqa: PLC0415

    rows, columns = SHAPE
    mass = PhantomMass(row_mm=120.0, depth_mm=50.0, radius_mm=9.0)
    phantoms = [
        breast_phantom(7, side, view, [mass] if side == "R" else [], rows=rows, columns=columns)
        for side, view in (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"))
    ]
    write_breast_phantoms(folder, 1, phantoms)


def repeat(package: str, study: Path, packages: Path | None) -> dict[str, Any]:
    """Measure once, in a process of its own."""
    command = [sys.executable, __file__, "--package", package, "--one", str(study)]
    command += [] if packages is None else ["--folder", str(packages)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def one(reference: str, study: Path, packages: Path | None) -> dict[str, Any]:
    """Read the study once."""
    from dicom_io.send import collect_files  # noqa: PLC0415
    from flows.installation import Installation  # noqa: PLC0415
    from flows.offline import OfflineReader, sort_files  # noqa: PLC0415
    from models.detector import open_detector  # noqa: PLC0415
    from models.registry import Registry  # noqa: PLC0415

    package = Registry([] if packages is None else [packages]).get(reference)
    with tempfile.TemporaryDirectory() as folder:
        contents = sort_files(collect_files(study))
        started = time.perf_counter()
        detector = open_detector(package, "cpu", CORES)
        opened = time.perf_counter() - started
        reader = OfflineReader(
            package,
            detector,
            Installation(Path(folder) / "state"),
            input_folder=study,
            output_folder=Path(folder) / "results",
        )
        report = reader.read(contents.studies[0])
        total = time.perf_counter() - started
    if report.exam is None:
        raise RuntimeError(f"the study was not read: {'; '.join(report.reasons)}")
    stages = {name: value for name, value in report.timings_s.items() if name != "total"}
    return {
        "total_s": total,
        "stages_s": {"open": opened, **stages},
        "members": report.films[0].members,
        "images": len(report.films),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    sys.exit(main())
