"""What benchmarks of the distributed shape share: hosts without wires between them, and the processor time of each."""
