"""How a reading of a volume compares with the one before it."""

from __future__ import annotations

from flows.journal import PriorRecord
from models.volume_results import VolumeChange, VolumeReading

__all__ = ["change_of"]


def change_of(
    reading: VolumeReading, networks: str, prior: PriorRecord | None, package_hash: str
) -> VolumeChange | None:
    """Return the change of a reading against an earlier one, None where there is none.

    Parameters
    ----------
    reading : VolumeReading
        Of this study.
    networks : str
        Which networks of the package made it.
    prior : PriorRecord or None
        The last earlier reading of the same patient by a package of this name.
    package_hash : str
        Of the package that made this reading.
    """
    if prior is None or "volume_ml" not in prior.outcome:
        return None
    reasons = []
    if prior.package_hash != package_hash:
        reasons.append("another version of the package read the earlier study")
    if prior.outcome.get("networks") != networks:
        reasons.append("other networks of the package read the earlier study")
    elif tuple(prior.outcome.get("sequences", ())) != reading.series_used:
        reasons.append("the earlier study was read from other sequences")
    elif prior.outcome.get("members") != reading.members:
        reasons.append("another number of members read the earlier study")
    return VolumeChange.between(
        float(prior.outcome["volume_ml"]),
        reading.volume_ml,
        previous_at=prior.acquired_at,
        previous_package=prior.package,
        comparable=not reasons,
        reason="; ".join(reasons),
    )
