"""What becomes of pixels before a network: shared by training and inference, numpy only."""
