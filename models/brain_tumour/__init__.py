"""Brain tumours on MR: an ensemble of slice-wise networks, read as volumes."""
