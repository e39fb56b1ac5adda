"""Which study goes to which package: declarative rules and their explanation."""
