"""What the pages of settings are made of."""
