"""Training, evaluation and packaging of the chest nodule detector."""
