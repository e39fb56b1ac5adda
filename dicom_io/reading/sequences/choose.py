"""Which series of a study is read for each wanted sequence, by the stated rules, whatever their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Sequence as Many
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from highdicom import Volume
from numpy.typing import NDArray

from dicom_io.reading.errors import UnsuitableImage
from dicom_io.reading.sequences.describe import SeriesDescription
from models.geometry import axial_view
from models.sequence_features import features_of
from models.sequence_image import contrast_between, probabilities_of
from models.sequences import SEQUENCES, Sequence, in_words

__all__ = ["Choice", "choose_by_features", "choose_series", "head_features"]

_SEEN: Final = 0.8
_LEANS: Final = 0.5
_CERTAIN: Final = 0.95
_LIKELIHOOD: Final = {"sure": 0, "likely": 1, "none": 2}
_BEFORE_AGREEMENT: Final = 4
_NO_HEAD: Final = ("no-head", "no attribute says that it is of the head, and its image shows none")
Features = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Choice:
    """What is read, and why the rest is not.

    Parameters
    ----------
    by_sequence : dict of str to str
        Series Instance UID for each wanted sequence that was found.
    remarks : tuple of str
        What a reader should know: what the image decided, contrast where none is usual, reformats used.
    not_used : dict of str to str
        Reason for every other series.
    codes : dict of str to str
        Machine-readable reason for each of ``not_used``.
    """

    by_sequence: dict[str, str]
    remarks: tuple[str, ...]
    not_used: dict[str, str]
    codes: dict[str, str]


@dataclass(slots=True)
class _Study:
    """The series that may be read, what was seen of each, and what became of them."""

    features: Callable[[str], Features | None]
    pools: dict[Sequence, list[SeriesDescription]] = field(default_factory=dict)
    seen: dict[str, Features | None] = field(default_factory=dict)
    agreeing: dict[str, bool] = field(default_factory=dict)
    by_image: dict[str, float] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    not_used: dict[str, tuple[str, str]] = field(default_factory=dict)

    def look(self, series: SeriesDescription) -> dict[str, float] | None:
        """Return what the image says, None where it is no volume or no head: then it is used for nothing."""
        uid = series.series_instance_uid
        if uid not in self.seen and uid not in self.not_used:
            try:
                self.seen[uid] = self.features(uid)
            except UnsuitableImage as error:
                self.drop(series, error.code, str(error))
            else:
                if self.seen[uid] is None and not series.names_head:
                    self.drop(series, *_NO_HEAD)
        return None if uid in self.not_used else probabilities_of(self.seen[uid])

    def drop(self, series: SeriesDescription, code: str, reason: str) -> None:
        self.not_used.setdefault(series.series_instance_uid, (code, reason))
        for pool in self.pools.values():
            pool[:] = [one for one in pool if one.series_instance_uid != series.series_instance_uid]

    def ranked(self, sequence: Sequence) -> list[SeriesDescription]:
        return sorted(self.pools.get(sequence, ()), key=lambda one: _rank(one, self.agreeing))


def choose_series(
    descriptions: Iterable[SeriesDescription], images: Callable[[str], Volume], wanted: Many[str]
) -> Choice:
    """Choose one series for each wanted sequence by ``RECOGNITION_RULES`` and ``RANKING_RULES``.

    Parameters
    ----------
    descriptions : iterable of SeriesDescription
        All series of one study, in any order.
    images : callable
        Takes a Series Instance UID and returns the ``highdicom.Volume`` of that series; called at most once
        for each series, and only for candidates. An :class:`UnsuitableImage` that it raises is the reason
        why the series is not used.
    wanted : sequence of str
        Names from :data:`models.sequences.SEQUENCES`.

    Raises
    ------
    ValueError
        An unknown sequence is wanted, or a series is described twice.
    """
    return choose_by_features(descriptions, lambda uid: head_features(images(uid)), wanted)


def choose_by_features(
    descriptions: Iterable[SeriesDescription], features: Callable[[str], Features | None], wanted: Many[str]
) -> Choice:
    """Choose as :func:`choose_series` does, from the features of each series in place of its volume."""
    series = sorted(descriptions, key=lambda one: one.series_instance_uid)
    unknown = sorted(set(wanted) - set(SEQUENCES))
    if unknown:
        raise ValueError(f"unknown sequences: {', '.join(unknown)}")
    if len({one.series_instance_uid for one in series}) != len(series):
        raise ValueError("a series is described twice")
    names = [name for name in SEQUENCES if name in wanted]
    study = _Study(features)
    for one in series:
        if one.set_aside is not None:
            study.drop(one, one.set_aside.code, one.set_aside.reason)
        elif one.sequence is not None:
            study.pools.setdefault(one.sequence, []).append(one)
    _place_undecided(study, [one for one in series if one.set_aside is None and one.sequence is None])
    chosen: dict[Sequence, SeriesDescription] = {}
    # T1 first: what it turns out to be may be the T1 with contrast.
    for name in SEQUENCES:
        if name in names or (name == "T1" and "T1C" in names):
            found = _best(study, name)
            if found is not None:
                chosen[name] = found
    _compare_pair(study, chosen)
    _compare_with_flair(study, chosen)
    used = {name: chosen[name] for name in names if name in chosen}
    for name, one in used.items():
        _remark(study, name, one)
    _explain_rest(study, series, used, names)
    return Choice(
        by_sequence={name: one.series_instance_uid for name, one in used.items()},
        remarks=tuple(study.remarks),
        not_used={uid: reason for uid, (_, reason) in sorted(study.not_used.items())},
        codes={uid: code for uid, (code, _) in sorted(study.not_used.items())},
    )


def head_features(volume: Volume) -> Features | None:
    """Return the features of a volume of any orientation, None where there is no head to see."""
    view = axial_view(volume.get_geometry())
    _, rows, columns = view.geometry.spacing
    return features_of(view.apply(np.asarray(volume.array)), (float(rows), float(columns)))


def _rank(series: SeriesDescription, agreeing: Mapping[str, bool]) -> tuple[object, ...]:
    """Return the key of RANKING_RULES; the smallest is the first choice."""
    thick = max(series.gap_mm or 99.0, series.pixel_mm or 99.0)
    return (
        series.derived,
        not series.covers_head,
        series.images > series.slices,
        _LIKELIHOOD[series.certainty],
        not agreeing.get(series.series_instance_uid, False),
        series.plane != "axial" and series.acquisition != "3D",
        round(thick, 1),
        round(series.pixel_mm or 99.0, 2),
        _latest(series.acquired_at),
        -(series.series_number or 0),
        series.series_instance_uid,
    )


def _latest(time: str) -> tuple[int, ...]:
    """Return a key that sorts later times first, and no time last."""
    return tuple(-ord(character) for character in time) or (0,)


def _place_undecided(study: _Study, undecided: Many[SeriesDescription]) -> None:
    """Let the image say what tags do not; what it does not say clearly is not used."""
    for one in undecided:
        shares = study.look(one)
        if shares is None:
            continue
        best = _clearest(one, shares)
        if shares[best] < _SEEN:
            reason = "neither its tags nor its image say which sequence it is"
            study.drop(one, "unrecognised", f"{reason} ({one.evidence[-1]})" if one.evidence else reason)
            continue
        study.by_image[one.series_instance_uid] = shares[best]
        study.pools.setdefault(best, []).append(replace(one, sequence=best, certainty="none"))


def _clearest(one: SeriesDescription, shares: Mapping[str, float]) -> Sequence:
    """Return the likeliest sequence; what tags say of contrast counts among the two T1."""
    best = _likeliest(shares)
    if best in ("T1", "T1C") and one.contrast != "unknown":
        return "T1C" if one.contrast == "yes" else "T1"
    return best


def _likeliest(shares: Mapping[str, float]) -> Sequence:
    return max(SEQUENCES, key=lambda name: shares[name])


def _best(study: _Study, name: Sequence) -> SeriesDescription | None:
    """Return the first of the ranked candidates that its image does not contradict.

    Candidates that only differ in whether their image agrees are looked at in turn, so an agreeing one wins.
    """
    first: SeriesDescription | None = None
    for one in study.ranked(name):
        shares = study.look(one)
        if shares is None:
            continue
        if first is not None and _rank(first, {})[:_BEFORE_AGREEMENT] != _rank(one, {})[:_BEFORE_AGREEMENT]:
            break
        if name == "T1" and _shows_contrast(study, one, shares):
            continue
        if one.certainty == "likely" and _contradicts(shares, name):
            words = f"tags say {in_words(name)}, the image looks like {in_words(_likeliest(shares))}"
            study.drop(one, "image-contradicts-tags", words)
            continue
        if _as_named(shares, name) >= _SEEN:
            study.agreeing[one.series_instance_uid] = True
            return one
        first = first or one
    return first


def _as_named(shares: Mapping[str, float], name: Sequence) -> float:
    """Return how far an image agrees with a name; of the two T1, contrast is looked at for itself."""
    return shares["T1"] + shares["T1C"] if name in ("T1", "T1C") else shares[name]


def _contradicts(shares: Mapping[str, float], name: Sequence) -> bool:
    return _as_named(shares, name) <= 1 - _CERTAIN and max(shares.values()) >= _CERTAIN


def _shows_contrast(study: _Study, one: SeriesDescription, shares: Mapping[str, float]) -> bool:
    """Move a T1 whose image shows enhancement to the T1 with contrast, with a remark.

    That it is a T1 is known from its tags: only the share of contrast among the two T1 counts. It is enough
    where tags say nothing of contrast and there is no other T1; else it takes a comparison with one, or
    more certainty.
    """
    if one.series_instance_uid in study.by_image or _contradicts(shares, "T1"):
        return False
    contrast = shares["T1C"] / max(shares["T1"] + shares["T1C"], 1e-9)
    if contrast < _SEEN:
        return False
    mine = study.seen[one.series_instance_uid]
    before = _compared(study, mine, [other for other in study.pools.get("T1", ()) if other is not one])
    after = _compared(study, mine, study.pools.get("T1C", ()))
    if before:
        sure = max(before) >= _CERTAIN
    else:
        # Brighter than the T1 with contrast of the study: the two are the wrong way round, not both after it.
        sure = (contrast >= _CERTAIN or (one.contrast == "unknown" and not after)) and not any(
            share >= _CERTAIN for share in after
        )
    if not sure:
        return False
    stated = "T1 without contrast" if one.contrast == "no" else "T1 and nothing of contrast"
    study.remarks.append(
        f"{one.name}: tags say {stated}, the image shows enhancement: used as T1 with contrast"
    )
    study.pools["T1"].remove(one)
    study.pools.setdefault("T1C", []).append(replace(one, sequence="T1C", certainty="likely"))
    return True


def _compared(study: _Study, mine: Features | None, others: Iterable[SeriesDescription]) -> list[float]:
    """Return how likely a T1 is after contrast, against each of others that can be read."""
    readable = [other for other in tuple(others) if study.look(other) is not None]
    return [contrast_between(mine, study.seen[other.series_instance_uid]) for other in readable]


def _compare_pair(study: _Study, chosen: Mapping[Sequence, SeriesDescription]) -> None:
    """Say so where the two T1 look the wrong way round."""
    before, after = chosen.get("T1"), chosen.get("T1C")
    if before is None or after is None:
        return
    share = contrast_between(study.seen[after.series_instance_uid], study.seen[before.series_instance_uid])
    if share <= 1 - _CERTAIN:
        study.remarks.append(
            f"{before.name} and {after.name}: the images look as if T1 without and with contrast were "
            "named the wrong way round; the tags are followed"
        )


def _compare_with_flair(study: _Study, chosen: Mapping[Sequence, SeriesDescription]) -> None:
    """Say so where a T1 and a FLAIR look the wrong way round and the tags of neither are sure."""
    flair, t1 = chosen.get("FLAIR"), chosen.get("T1") or chosen.get("T1C")
    if flair is None or t1 is None or flair.certainty != "likely" or t1.certainty != "likely":
        return
    first, second = study.look(t1), study.look(flair)
    if first is None or second is None:
        return
    swapped = first["FLAIR"] * _as_named(second, "T1")
    named = _as_named(first, "T1") * second["FLAIR"]
    if swapped >= _SEEN * (swapped + named) > 0 and min(first["FLAIR"], _as_named(second, "T1")) > _LEANS:
        name = "T1" if t1 is chosen.get("T1") else "T1C"
        study.remarks.append(
            f"{t1.name} and {flair.name}: the images look as if {in_words(name)} and FLAIR were named the "
            "wrong way round; the tags are followed"
        )


def _remark(study: _Study, name: Sequence, one: SeriesDescription) -> None:
    probability = study.by_image.get(one.series_instance_uid)
    shares = study.look(one)
    if probability is not None:
        why = one.evidence[-1] if one.evidence else "no attribute names the sequence"
        study.remarks.append(f"{one.name}: {why}; the image looks like {in_words(name)} ({probability:.2f})")
    elif shares is not None and _contradicts(shares, name):
        study.remarks.append(
            f"{one.name}: tags say {in_words(name)}, the image looks like {in_words(_likeliest(shares))}; "
            "the tags are followed"
        )
    if name in ("FLAIR", "T2") and one.contrast == "yes":
        study.remarks.append(f"{one.name}: {in_words(name)} after contrast")
    if one.derived:
        study.remarks.append(f"{one.name}: used as {in_words(name)}, although derived from other images")
    if not one.covers_head:
        study.remarks.append(f"{one.name}: used as {in_words(name)}, although it does not cover a whole head")


def _explain_rest(
    study: _Study,
    series: Many[SeriesDescription],
    used: Mapping[Sequence, SeriesDescription],
    names: Many[Sequence],
) -> None:
    taken = {one.series_instance_uid: name for name, one in used.items()}
    labels = {one.series_instance_uid: name for name, pool in study.pools.items() for one in pool}
    for one in series:
        uid = one.series_instance_uid
        if uid in taken or uid in study.not_used:
            continue
        name = labels[uid]
        if name not in names:
            study.not_used[uid] = ("not-wanted", f"it is {in_words(name)}, which is not read")
        elif name in used:
            study.not_used[uid] = ("other-chosen", f"{used[name].name} is the {in_words(name)} that is read")
        else:
            study.not_used[uid] = ("unrecognised", f"it is no usable {in_words(name)}")
