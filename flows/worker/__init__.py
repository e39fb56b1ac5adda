"""The resident worker: processes that are warm before a study needs them."""
