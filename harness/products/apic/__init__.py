"""IBM API Connect."""
