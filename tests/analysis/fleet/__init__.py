"""Tests of fleets: what many processes amount to."""
