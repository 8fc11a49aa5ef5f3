"""Where servers run.  A lab brings up what a case needs and tells what each side saw; it judges nothing."""

from harness.lab.base import ConfigurationRefused, Door, KeepsLogs, Lab

__all__ = ["ConfigurationRefused", "Door", "KeepsLogs", "Lab"]
