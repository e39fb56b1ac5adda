"""Training, evaluation and packaging of the detector of mammography examinations (data set: MIAS)."""
