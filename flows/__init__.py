"""The story of a study: routing, journal, Prefect flows, the resident worker and the command line."""
