"""How far a reading can be trusted, as numbers."""

from models.confidence.assessment import assess_detection
from models.confidence.boxes import box_f1, member_support, pairwise_box_f1, score_spread

__all__ = ["assess_detection", "box_f1", "member_support", "pairwise_box_f1", "score_spread"]
