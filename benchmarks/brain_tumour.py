"""A brain study of four series of 155 slices through the package: from files to encoded results.

Four series of 155 slices of 240 by 240 (a computed head) lie in a folder. The clock runs over opening the
networks, gathering, recognising and aligning the series, all members, segmentation, report and key images.
Each repeat is a process of its own on two cores, and its peak is all that it ever held. The ensemble that
the package ships, a single member and, as reference, all members are measured in turn.

    python benchmarks/brain_tumour.py [--json FILE] [--repeats N] [--package NAME]
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
LIMITS = {"shipped": (60.0, 2500.0), "single": (20.0, 2500.0)}


def main() -> int:
    """Measure and report; status 1 where a limit is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--package", default="brain-tumour")
    parser.add_argument("--one", nargs=2, metavar=("STUDY", "MEMBERS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    if options.one:
        print(json.dumps(one(options.package, Path(options.one[0]), int(options.one[1]))))
        return 0
    from dicom_io.volume_phantoms import write_brain_study  # noqa: PLC0415
    from models.registry import Registry  # noqa: PLC0415

    load = round(os.getloadavg()[0], 2)
    package = Registry().get(options.package)
    manifest = package.manifest
    counts = {"shipped": 0, "single": 1, "all": len(manifest.members)}
    if (manifest.ensemble or len(manifest.members)) == len(manifest.members):
        del counts["all"]
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in counts}
    with tempfile.TemporaryDirectory() as folder:
        write_brain_study(Path(folder))
        for _ in range(options.repeats):
            for name, members in counts.items():
                runs[name].append(repeat(options.package, Path(folder), members))
    modes = {name: summary(found) for name, found in runs.items()}
    report: dict[str, Any] = {
        "benchmark": "brain_tumour",
        "definition": "seconds from 620 files to encoded results, networks opened within; peak RSS",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpu": platform.processor() or platform.machine(),
            "cores_used": CORES,
            "load_before": load,
            "python": platform.python_version(),
        },
        "versions": {
            name: version(name) for name in ("secondread", "onnxruntime", "SimpleITK", "highdicom", "numpy")
        },
        "package": package.reference,
        "repeats": options.repeats,
        **modes,
        "ratio_single_to_shipped": round(modes["single"]["median_s"] / modes["shipped"]["median_s"], 3),
        "limits": {
            name: {"median_s": seconds, "peak_rss_mb": peak} for name, (seconds, peak) in LIMITS.items()
        },
    }
    text = json.dumps(report, indent=2)
    print(text)
    if options.json is not None:
        options.json.write_text(text + "\n", encoding="utf-8")
    kept = all(
        modes[name]["median_s"] <= seconds and modes[name]["peak_rss_mb"] <= peak
        for name, (seconds, peak) in LIMITS.items()
    )
    return 0 if kept else 1


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return medians over the repeats of one mode, and the highest peak."""
    return {
        "members": runs[0]["members"],
        "median_s": round(statistics.median(run["total_s"] for run in runs), 2),
        "longest_s": round(max(run["total_s"] for run in runs), 2),
        "median_by_stage_s": {
            stage: round(statistics.median(run["stages_s"][stage] for run in runs), 3)
            for stage in runs[0]["stages_s"]
        },
        "peak_rss_mb": round(max(run["peak_mb"] for run in runs)),
        "volume_ml": runs[0]["volume_ml"],
    }


def repeat(package: str, study: Path, members: int) -> dict[str, Any]:
    """Measure once, in a process of its own."""
    command = [sys.executable, __file__, "--package", package, "--one", str(study), str(members)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def one(reference: str, study: Path, members: int) -> dict[str, Any]:
    """Read the study once with so many members, nought for those of the package."""
    from dicom_io.send import collect_files  # noqa: PLC0415
    from flows.installation import Installation  # noqa: PLC0415
    from flows.offline import OfflineReader, sort_files  # noqa: PLC0415
    from flows.routing.rules import ReadingOptions  # noqa: PLC0415
    from models.detector import open_detector  # noqa: PLC0415
    from models.registry import Registry  # noqa: PLC0415

    package = Registry().get(reference)
    with tempfile.TemporaryDirectory() as folder:
        contents = sort_files(collect_files(study))
        started = time.perf_counter()
        detector = open_detector(package, "cpu", CORES, members=members or None)
        opened = time.perf_counter() - started
        reader = OfflineReader(
            package,
            detector,
            Installation(Path(folder) / "state"),
            input_folder=study,
            output_folder=Path(folder) / "results",
            options=ReadingOptions(members=members or None),
        )
        report = reader.read(contents.studies[0])
        total = time.perf_counter() - started
    if report.volume is None:
        raise RuntimeError(f"the study was not read: {'; '.join(report.reasons)}")
    stages = {name: value for name, value in report.timings_s.items() if name != "total"}
    return {
        "total_s": total,
        "stages_s": {"open": opened, **stages},
        "members": report.volume.members,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "volume_ml": round(sum(segment.volume_ml for segment in report.volume.segments), 1),
    }


if __name__ == "__main__":
    sys.exit(main())
