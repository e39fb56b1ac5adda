"""Training, export and reports: the only room with torch."""
