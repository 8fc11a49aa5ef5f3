"""The page a run leaves behind: one self-contained ``index.html`` made from the record's rows.  Decides nothing."""

from harness.writers.page.guide import Guide
from harness.writers.page.render import NAME, read_kills, write

__all__ = ["NAME", "Guide", "read_kills", "write"]
