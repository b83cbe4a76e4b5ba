"""What the pages about people and companies are made of."""
