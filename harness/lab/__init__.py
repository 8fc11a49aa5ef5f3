"""Where servers run.  A lab starts what a case needs and reports what each side saw; it does not judge."""

from harness.lab.protocol import ConfigurationRefused, Entrypoint, KeepsLogs, Lab, SeesUpstreams

__all__ = ["ConfigurationRefused", "Entrypoint", "KeepsLogs", "Lab", "SeesUpstreams"]
