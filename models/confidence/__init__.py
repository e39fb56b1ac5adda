"""How far a reading can be trusted, as numbers."""

from models.confidence.assessment import assess_detection
from models.confidence.boxes import box_f1, member_support, pairwise_box_f1, score_spread
from models.confidence.segments import assess_segmentation

__all__ = [
    "assess_detection",
    "assess_segmentation",
    "box_f1",
    "member_support",
    "pairwise_box_f1",
    "score_spread",
]
