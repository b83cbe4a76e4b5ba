"""Forms that are made from a definition: its fields as inputs, and what was typed as settings."""
