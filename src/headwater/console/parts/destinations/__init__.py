"""What pages about destinations are made of."""
