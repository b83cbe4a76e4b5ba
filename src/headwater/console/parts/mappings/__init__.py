"""The parts of the pages about mappings: what a destination does with which events, in a form and beside it a trial."""
