"""API Connect's reference subsystems."""
