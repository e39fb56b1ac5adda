"""A brain study of 620 instances: from its files to results that Orthanc has committed, without inference.

Four series of 155 slices of 240 by 240 lie in a folder. The clock runs over gathering (headers, digests,
fingerprint), reading all four series as volumes, segmentation, report and key images, C-STORE to an Orthanc
on loopback, and its storage commitment; what a network would find is the known lesion of the phantom. Each
repeat is a process of its own on two cores, and its peak is all that it ever held.

    python benchmarks/brain_study.py [--json FILE] [--repeats N]
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
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

CORES = 2
LIMIT_S, LIMIT_PEAK_MB = 4.0, 1200.0
STAGES = ("gather", "volumes", "objects", "deliver")


def main() -> int:
    """Measure and report; status 1 where a limit is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--one", nargs=2, metavar=("STUDY", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    if options.one:
        print(json.dumps(one(Path(options.one[0]), Path(options.one[1]))))
        return 0
    load = round(os.getloadavg()[0], 2)
    from dicom_io.volume_phantoms import write_brain_study  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        write_brain_study(Path(folder))
        runs = [repeat(Path(folder)) for _ in range(options.repeats)]
    total = [run["total_s"] for run in runs]
    report: dict[str, Any] = {
        "benchmark": "brain_study",
        "definition": "seconds from 620 files to results that Orthanc committed, without inference; peak RSS",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpu": platform.processor() or platform.machine(),
            "cores_used": CORES,
            "load_before": load,
            "python": platform.python_version(),
        },
        "versions": {name: version(name) for name in ("secondread", "highdicom", "pydicom", "pynetdicom")},
        "repeats": options.repeats,
        "median_s": round(statistics.median(total), 3),
        "longest_s": round(max(total), 3),
        "median_by_stage_s": {
            stage: round(statistics.median(run["stages_s"][stage] for run in runs), 3) for stage in STAGES
        },
        "peak_rss_mb": round(max(run["peak_mb"] for run in runs)),
        "objects": runs[0]["objects"],
        "object_mb": runs[0]["object_mb"],
        "states": runs[0]["states"],
        "limits": {"median_s": LIMIT_S, "peak_rss_mb": LIMIT_PEAK_MB},
    }
    text = json.dumps(report, indent=2)
    print(text)
    if options.json is not None:
        options.json.write_text(text + "\n", encoding="utf-8")
    committed = all(run["states"] == ["committed"] for run in runs)
    return 0 if committed and report["median_s"] <= LIMIT_S and report["peak_rss_mb"] <= LIMIT_PEAK_MB else 1


def repeat(study: Path) -> dict[str, Any]:
    """Measure once, in a process of its own with an Orthanc of its own."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, __file__, "--one", study, folder],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "TCP_NODELAY": "1"},
        )
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def one(study: Path, folder: Path) -> dict[str, Any]:
    """Process the study once; what starts only once in a service is started before the clock."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from dicom_io.receive.inbox import Inbox  # noqa: PLC0415
    from dicom_io.receive.listener import Listener  # noqa: PLC0415
    from flows.journal import Journal  # noqa: PLC0415
    from flows.settings import DimseNode, Peer, Settings  # noqa: PLC0415
    from tests.dicom_io.receive.support import MemoryRecorder  # noqa: PLC0415
    from tests.peers import start_orthanc  # noqa: PLC0415

    with Journal(f"sqlite:///{folder / 'journal.sqlite'}", pseudonym=lambda uid: "S-" + uid[-8:]) as journal:
        journal.upgrade()
        listener = Listener(
            Inbox(folder / "inbox", folder / "quarantine"),
            MemoryRecorder(),
            ae_title="SECONDREAD",
            host="127.0.0.1",
            port=0,
            peers=(Peer(ae_title="ORTHANC"),),
            commitment_reported=lambda report, _peer: journal.record_commitment(report),
        )
        listener.start()
        try:
            with start_orthanc(folder, secondread_port=listener.port, stable_age_s=3600) as orthanc:
                pacs = DimseNode(ae_title=orthanc.ae_title, port=orthanc.dicom_port, commitment_wait_s=5)
                settings = Settings(state_dir=folder / "state", nodes={"pacs": pacs}, routes=())
                return measure(study, folder, journal, settings)
        finally:
            listener.stop()


def measure(study: Path, folder: Path, journal: Any, settings: Any) -> dict[str, Any]:
    """Process the study once with a running Orthanc."""
    from dicom_io.reading import read_header  # noqa: PLC0415
    from dicom_io.reading.volume import read_volume  # noqa: PLC0415
    from dicom_io.receive.part10 import data_set_sha256  # noqa: PLC0415
    from dicom_io.results import PackageIdentity, ResultIdentity, fingerprint  # noqa: PLC0415
    from dicom_io.volume_phantoms import VolumeOptions  # noqa: PLC0415
    from flows.delivery import deliver  # noqa: PLC0415
    from flows.encoding import Basis, encode_volume  # noqa: PLC0415
    from flows.routing.rules import ReadingOptions  # noqa: PLC0415
    from models.concepts import Concept  # noqa: PLC0415
    from models.phantoms.brain import BrainPhantom  # noqa: PLC0415
    from models.results import Assessment  # noqa: PLC0415
    from models.volume_findings import measured_finding  # noqa: PLC0415
    from models.volume_results import Segment, VolumeReading  # noqa: PLC0415

    options = VolumeOptions(shape=(155, 240, 240), spacing=(1.0, 1.0, 1.0))
    truth = BrainPhantom(options.seed, options.lesions).sample(options.shape, options.affine).lesions
    neoplasm = Concept("108369006", "SCT", "Neoplasm")
    segment = Segment(
        1,
        "Tumour 1",
        Concept("49755003", "SCT", "Morphologically Abnormal Structure"),
        neoplasm,
        Concept("12738006", "SCT", "Brain"),
    )
    package = PackageIdentity("brain-tumour", "0.0.1", "Phantom", "2.25.1", "ab" * 32, neoplasm, "0001")
    stages: dict[str, float] = {}

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        stages[name] = time.perf_counter() - started

    started = time.perf_counter()
    with stage("gather"):
        series: dict[str, list[Path]] = {}
        digests, headers = [], []
        for path in sorted(study.rglob("*.dcm")):
            header = read_header(path)
            headers.append(header)
            digests.append((str(header.SOPInstanceUID), data_set_sha256(path)))
            series.setdefault(str(header.SeriesInstanceUID), []).append(path)
        digest = fingerprint(digests)
    with stage("volumes"):
        volumes = [read_volume(paths) for paths in series.values()]
    flair = volumes[0]
    # Not inference, but the truth in its place, on the grid that was read.
    labels = flair.volume.with_array(truth)
    with stage("objects"):
        reading = VolumeReading(
            labels=labels,
            slices=flair.slices,
            findings=(measured_finding(segment, truth == 1, labels.spacing, probability=0.97),),
            searched=(segment,),
            case_score=0.97,
            members=5,
            operating_point=0.5,
            series_used=("FLAIR", "T1", "T1 with contrast", "T2"),
        )
        basis = Basis(
            package=package,
            identity=ResultIdentity(digest, package.content_hash, "c" * 64, 1),
            content_time=datetime.now(UTC).astimezone(),
            options=ReadingOptions(),
            folder=folder / "results",
        )
        objects = encode_volume(basis, headers, reading, flair.volume, Assessment("accept", 0.9))
    with stage("deliver"):
        job = completed_job(journal, headers[0], digest)
        journal.record_results(job.id, objects, ["pacs"])
        deliver(journal, settings, job)
    total = time.perf_counter() - started
    return {
        "total_s": total,
        "stages_s": stages,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "objects": [item.kind for item in objects],
        "object_mb": round(sum(item.size_bytes for item in objects) / 1e6, 1),
        "states": sorted({one.state for one in journal.deliveries(job.id)}),
    }


def completed_job(journal: Any, header: Any, digest: str) -> Any:
    """Return a job of the study in the journal."""
    from dicom_io.receive.records import StoredInstance  # noqa: PLC0415
    from flows.journal import JobDraft  # noqa: PLC0415

    journal.record_instance(
        StoredInstance(
            study_instance_uid=str(header.StudyInstanceUID),
            series_instance_uid=str(header.SeriesInstanceUID),
            sop_instance_uid=str(header.SOPInstanceUID),
            sop_class_uid=str(header.SOPClassUID),
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            sha256="0" * 64,
            size_bytes=1,
            path=Path("one.dcm"),
            modality="MR",
            received_at=datetime.now(UTC),
            association_id="1",
        )
    )
    draft = JobDraft(
        "brain", "brain-tumour", "0.0.1", "ab" * 32, "c" * 64, digest, (str(header.SOPInstanceUID),)
    )
    job = journal.create_job(journal.studies()[0].id, draft)
    return journal.start_job(job.id)


if __name__ == "__main__":
    sys.exit(main())
