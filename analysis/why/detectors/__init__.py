"""Patterns of contention, named: one module a detector, each with its definition."""
