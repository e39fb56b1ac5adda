"""Pictures with findings drawn beside them, for viewers that show no structured report."""
