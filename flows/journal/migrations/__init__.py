"""The steps between the forms of the tables."""
