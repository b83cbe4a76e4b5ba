"""What pages about warehouses and queries are made of."""
