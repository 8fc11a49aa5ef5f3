"""Tests of harness.wire."""
