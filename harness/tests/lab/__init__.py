"""The child processes of the lab, and those that misbehave."""
