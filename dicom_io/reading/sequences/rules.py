"""The rules of recognition and ranking in words, as they are done: they go into the manifest of a package."""

from __future__ import annotations

from typing import Final

__all__ = ["RANKING_RULES", "RECOGNITION_RULES"]

RECOGNITION_RULES: Final[tuple[str, ...]] = (
    "Only MR images of the head are read. Set aside with a reason: localisers, calibrations, "
    "spectroscopy, diffusion and its maps, perfusion, functional and dynamic series, susceptibility-"
    "weighted and T2* series, angiography, projections, subtractions, computed maps, fat and opposed-"
    "phase images, phase images, single inversion images, steady-state series, STIR, proton density, "
    "several echoes in one series, colour, screenshots, own results.",
    "The name is that in Series Description, else in Protocol Name, else in the pulse sequence, with "
    "the words of Siemens, GE, Philips, Canon and Fujifilm: T1 FLAIR is a T1, T2 FLAIR, FLAIR and dark "
    "fluid are FLAIR, MPRAGE, BRAVO, SPGR, TFE and VIBE are T1, T2* is no T2.",
    "Repetition, echo and inversion time, flip angle and Acquisition Contrast say which sequences are "
    "possible: FLAIR inverts 1450 ms and more before an echo of 60 ms and more; T2 has an echo of 60 ms"
    " and more and a repetition of 1800 ms and more; T1 has a short echo after a short repetition, a "
    "shorter inversion or a spoiled gradient echo.",
    "Name and times that agree are sure; one of them alone is likely; where they contradict each other "
    "the tags say nothing.",
    "A T1 is with contrast where the description says so (post, +C, Gd, KM and others, not post-op) or,"
    " where it is silent, the contrast agent attributes do; without where they say so; an unknown "
    "contrast counts as without until the image shows otherwise. FLAIR and T2 after contrast are used "
    "as FLAIR and T2, with a remark.",
    "The image decides where tags say nothing: intensities of scalp, brain, clefts and small "
    "structures, at a probability of at least .8; below it the series is not used.",
    "A T1 without stated contrast becomes T1 with contrast where the image says so (share of contrast among "
    "the two T1 of at least .8) and it is the only T1, or a comparison with another T1 of the study confirms "
    "it with .95; one that is stated as without contrast needs that comparison or a share of .95. A remark "
    "says so.",
    "A series whose tags are only likely and whose image contradicts them with a probability of .95 is not "
    "used as what its tags say; where the tags are sure they are followed, with a remark.",
)
"""How a series is recognised, in the order in which it is done."""

RANKING_RULES: Final[tuple[str, ...]] = (
    "images of the scanner before images derived from others",
    "series that cover the head before those that do not",
    "one image for each position before several",
    "tags that are sure before likely ones, before the image alone",
    "an image that agrees with the tags before one that does not say",
    "axial or 3D before other planes",
    "thinner slices, then finer pixels",
    "the later acquisition, then the higher series number, then the series UID",
)
"""Which of several candidates for one sequence is used; the first rule that tells them apart decides."""
