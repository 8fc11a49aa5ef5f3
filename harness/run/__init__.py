"""Runs: the engine, the kill matrix, what is expected, what a failure resembles."""
