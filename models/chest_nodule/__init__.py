"""Chest nodule detector: numpy preprocessing, decoding and fusion around the members' ONNX graphs."""
