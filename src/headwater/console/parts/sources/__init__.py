"""What pages about sources are made of."""
