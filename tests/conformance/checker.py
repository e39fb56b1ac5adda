"""Validators on result files: dciodvfy and dsrdump on everything, PixelMed's templates on some.

PixelMed's DicomSRValidator compiles its templates anew for every file (five seconds of a core), so it is
asked about each structure that a report can have, not about each header. ``check_dicom`` beside the folder
of real images runs the same three and is asked where it is there.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests import peers

__all__ = ["header_errors", "template_errors"]

_LIMITS = "-Djdk.xml.xpathExprGrpLimit=0 -Djdk.xml.xpathExprOpLimit=0 -Djdk.xml.xpathTotalOpLimit=0"
_QUICK_START = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
_OPTIONS = ("-donotmatchcase", "-checkambiguoustemplate", "-checkcontentitemorder", "-checktemplateid")
# Context group 100 is extensible; the validator's templates are older than TID 1411's algorithm rows.
_KNOWN = re.compile(r"context group 100\b|CID 100\b|Algorithm (Name|Version).*1411")


def header_errors(*paths: Path) -> list[str]:
    """Return what dciodvfy and dsrdump call an error."""
    return [line for path in paths for line in (*_dciodvfy(path), *_dsrdump(path))]


def template_errors(*paths: Path) -> list[str]:
    """Return what all three validators call an error."""
    for program in ("dciodvfy", "dsrdump", "DicomSRValidator", "dcmdump"):
        peers.require_tool(program)
    tool = _shared_tool()
    if tool is None:
        reports = [path for path in paths if _is_report(path)]
        return header_errors(*paths) + [line for path in reports for line in _pixelmed(path)]
    done = subprocess.run(
        [sys.executable, tool, *paths],
        capture_output=True,
        text=True,
        check=False,
        errors="replace",
        env={**os.environ, "JDK_JAVA_OPTIONS": _QUICK_START},
    )
    found = [line for line in done.stdout.splitlines() if line.startswith("ERROR")]
    return found or ([] if done.returncode == 0 else [done.stdout + done.stderr])


def _shared_tool() -> Path | None:
    named = os.environ.get("SECONDREAD_DATA")
    tool = Path(named).resolve().parent / "tools" / "check_dicom" if named else None
    return tool if tool is not None and tool.is_file() else None


def _is_report(path: Path) -> bool:
    return "[SR]" in peers.run_tool("dcmdump", "-q", "+P", "Modality", path).stdout


def _dciodvfy(path: Path) -> Iterator[str]:
    done = peers.run_tool("dciodvfy", "-new", path)
    output = done.stdout + done.stderr
    errors = [line for line in output.splitlines() if line.startswith("Error")]
    yield from (f"dciodvfy {path.name}: {line}" for line in errors)
    if done.returncode and not errors:
        yield f"dciodvfy {path.name}: exit {done.returncode}: {output[-300:]}"


def _dsrdump(path: Path) -> Iterator[str]:
    if _is_report(path):
        done = peers.run_tool("dsrdump", "-Er", "-Ec", path)
        if done.returncode:
            yield f"dsrdump {path.name}: {done.stderr[-300:]}"


def _pixelmed(path: Path) -> Iterator[str]:
    done = subprocess.run(
        [peers.require_tool("DicomSRValidator"), *_OPTIONS, path],
        capture_output=True,
        text=True,
        check=False,
        errors="replace",
        env=peers.peer_environment(JAVA_TOOL_OPTIONS=f"{_LIMITS} {_QUICK_START}"),
    )
    output = done.stdout + done.stderr
    if "IOD validation complete" not in output:
        yield f"PixelMed {path.name}: did not finish: {output[-300:]}"
    for line in output.splitlines():
        if line.startswith("Error") and not _KNOWN.search(line):
            yield f"PixelMed {path.name}: {line}"
