"""Tests of the balancers, against a real process."""
