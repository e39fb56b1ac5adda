"""Brain tumour: whole tumour from FLAIR, T1 and T1 with contrast; a fallback for contrast T1 alone."""
