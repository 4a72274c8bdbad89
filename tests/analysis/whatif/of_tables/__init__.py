"""The slow way to a program, from tables of all intervals: what the quick one is held to."""
