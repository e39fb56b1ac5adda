"""A whole system on one machine, for ``secondread demo``, tests and benchmarks."""

from flows.demo.system import LocalSystem, SystemFailed, free_port

__all__ = ["LocalSystem", "SystemFailed", "free_port"]
