"""What pages are made of, one file a part: numbers, moments, tables, charts, forms, lines to copy."""
