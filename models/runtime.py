"""Running a network: one protocol, and ONNX Runtime behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "OnnxSession",
    "Provider",
    "RuntimeUnavailable",
    "Session",
    "TensorSpec",
    "installed_runtimes",
    "open_session",
]

Provider = Literal["cpu", "cuda", "tensorrt"]
_DISTRIBUTIONS = ("onnxruntime", "onnxruntime-gpu")
_PROVIDERS = {
    "cpu": ["CPUExecutionProvider"],
    "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"],
    "tensorrt": ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"],
}


class RuntimeUnavailable(Exception):
    """No usable runtime; the text says what to install."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, ONNX element type such as ``tensor(float)`` and shape (None for a dynamic axis)."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


class Session(Protocol):
    """A loaded network."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What the network takes."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What the network gives."""

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return every output by its name."""


def installed_runtimes() -> dict[str, str]:
    """Return the versions of the installed ONNX Runtime distributions by name.

    Two of them carry the same module and overwrite each other: more than one entry is a fault.
    """
    found = {}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _onnxruntime() -> Any:
    found = installed_runtimes()
    if len(found) > 1:
        raise RuntimeUnavailable(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other: uninstall both, "
            "then install secondread[cpu] or secondread[gpu]"
        )
    try:
        import onnxruntime  # noqa: PLC0415 - half a second that most commands do not need
    except ImportError as error:
        raise RuntimeUnavailable(
            "ONNX Runtime is not installed: install secondread[cpu], or secondread[gpu] where there is CUDA"
        ) from error
    return onnxruntime


class OnnxSession:
    """A network in ONNX Runtime.

    Parameters
    ----------
    path : pathlib.Path
        The ONNX file; whoever opens it has checked its hash.
    provider : {"cpu", "cuda", "tensorrt"}
        Execution provider; the CPU takes what a GPU provider cannot.
    threads : int
        Threads inside an operator; 0 means one per core.

    Raises
    ------
    RuntimeUnavailable
        The runtime, or the provider in it, is missing.
    """

    def __init__(self, path: Path, provider: Provider = "cpu", threads: int = 0) -> None:
        runtime = _onnxruntime()
        wanted = _PROVIDERS[provider]
        if wanted[0] not in runtime.get_available_providers():
            raise RuntimeUnavailable(
                f"this ONNX Runtime has no {wanted[0]}: install secondread[gpu] and the NVIDIA libraries, "
                "or set runtime.provider to cpu"
            )
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # A resident process waits most of the time: spinning threads and a grown arena would cost others.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_cpu_mem_arena = False
        self._session = runtime.InferenceSession(path, sess_options=options, providers=wanted)
        self._inputs = tuple(_spec(value) for value in self._session.get_inputs())
        self._outputs = tuple(_spec(value) for value in self._session.get_outputs())

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What the network takes."""
        return self._inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What the network gives."""
        return self._outputs

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return every output by its name."""
        names = [spec.name for spec in self._outputs]
        values = self._session.run(names, dict(inputs))
        return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}


def _spec(value: Any) -> TensorSpec:
    shape = tuple(axis if isinstance(axis, int) else None for axis in value.shape)
    return TensorSpec(value.name, value.type, shape)


def open_session(path: Path, provider: Provider = "cpu", threads: int = 0) -> Session:
    """Open a network with the runtime that the provider names."""
    return OnnxSession(path, provider, threads)
