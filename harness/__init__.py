"""Hopproof: is every flow between the subsystems of a product protected the way its documentation says?

ARCHITECTURE.md, beside this package in a checkout, says how the parts fit together.
"""

__version__ = "0.1.0"
