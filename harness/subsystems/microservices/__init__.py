"""Reference services behind an STS."""
