"""Procedures for API Connect's operators, from the objects in their files: CA renewal, balancers."""
