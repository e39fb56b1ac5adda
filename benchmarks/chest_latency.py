"""From the last instance of a chest film to its results in the archive, through the whole service.

The service runs as `secondread serve` on two cores with its own Prefect server, listener and resident
worker. One phantom after the other is sent by C-STORE; the clock starts when its last instance was
acknowledged and stops when the archive node has the last result object. The route's quiet time is zero, so
none of it is in the figure.

    python benchmarks/chest_latency.py [--json FILE] [--studies N] [--package NAME]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dicom_io.archive import ArchiveNode
from dicom_io.send import send_files
from flows.demo import LocalSystem
from flows.demo.phantoms import make_phantom_studies
from flows.demo.watch import DemoStudy, StudyResult, wait_for_studies
from flows.settings import DimseNode

CORES = 2
WARM_UP = 2
LIMIT_S = 5.0


def main() -> int:
    """Measure and report; status 1 where a study did not come back or the median is over the limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--studies", type=int, default=15)
    parser.add_argument("--package", default="chest-nodule")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with tempfile.TemporaryDirectory(prefix="secondread-latency-") as folder:
        measured = measure(Path(folder), options.studies + WARM_UP, options.package)
    warm = measured[WARM_UP:]
    totals = [seconds for seconds, _ in warm]
    lost = [result for _, result in measured if not result.came_back]
    report: dict[str, Any] = {
        "benchmark": "chest_latency",
        "definition": "seconds from the acknowledged last instance to the last result object in the archive, "
        "quiet time zero, warm, one study at a time",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": {name: version(name) for name in ("secondread", "prefect", "onnxruntime", "pynetdicom")},
        "package": options.package,
        "studies": len(warm),
        "lost": len(lost),
        "median_s": round(statistics.median(totals), 3),
        "p90_s": round(sorted(totals)[int(0.9 * (len(totals) - 1))], 3),
        "maximum_s": round(max(totals), 3),
        "limit_s": LIMIT_S,
        "stage_medians_s": stage_medians([result for _, result in warm]),
    }
    print(json.dumps(report, indent=2))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    return 1 if lost or report["median_s"] > LIMIT_S else 0


def measure(folder: Path, count: int, package: str) -> list[tuple[float, StudyResult]]:
    """Send ``count`` phantoms one after the other and time each."""
    studies = make_phantom_studies(folder / "phantoms", count)
    measured = []
    with ArchiveNode(folder / "archive") as archive:
        node = DimseNode(ae_title=archive.ae_title, port=archive.port)
        settings = {"worker": {"processes": 1, "spares": 1}, "runtime": {"threads": CORES}}
        with LocalSystem(
            folder, nodes={"archive": node}, package=package, quiet_time_s=0.0, settings=settings
        ) as system:
            for study in studies:
                measured.append(one(system, archive, study))
                print(f"{measured[-1][0]:.2f} s", file=sys.stderr)
    return measured


def one(system: LocalSystem, archive: ArchiveNode, study: DemoStudy) -> tuple[float, StudyResult]:
    """Send one study and return its time and its result."""
    acknowledged: list[float] = []
    send_files(study.paths, system.address, "MODALITY", lambda _result: acknowledged.append(time.monotonic()))
    (result,) = wait_for_studies(system, archive, [study], 120.0)
    newest = max((path.stat().st_mtime for path in result.files), default=time.time())
    ended = time.monotonic() - (time.time() - newest)
    return ended - acknowledged[-1], result


def stage_medians(results: list[StudyResult]) -> dict[str, float]:
    """Return the median seconds of each stage."""
    stages = dict.fromkeys(stage for result in results for stage in result.stages_s)
    return {
        stage: round(statistics.median(r.stages_s[stage] for r in results if stage in r.stages_s), 4)
        for stage in stages
    }


def machine() -> dict[str, Any]:
    """Describe what it was measured on."""
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores_used": CORES,
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(main())
