"""Turns bytes and texts into what a report may show: tokens, certificates, alerts.  Pure; knows nothing of verdicts."""
