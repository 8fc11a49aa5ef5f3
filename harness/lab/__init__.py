"""Where servers run.  A lab brings up what a case needs and tells what each side saw; it judges nothing."""

from harness.lab.protocol import ConfigurationRefused, Entrypoint, KeepsLogs, Lab, SeesUpstreams

__all__ = ["ConfigurationRefused", "Entrypoint", "KeepsLogs", "Lab", "SeesUpstreams"]
