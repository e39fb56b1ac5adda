"""Arrays with geometry, model packages, runtimes, detectors and confidence."""
