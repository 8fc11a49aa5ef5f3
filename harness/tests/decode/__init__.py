"""Tests of harness.decode."""
