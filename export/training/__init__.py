"""Training of the detectors that ship with SecondRead: shared stage runner, one package per detector."""
