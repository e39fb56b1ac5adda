"""Detectors that answer with a map of centres and a map of extents: decoding and fusion."""
