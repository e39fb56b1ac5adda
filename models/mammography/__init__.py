"""Mammography: the region of the breast, its landmarks, and the reading of an examination."""
