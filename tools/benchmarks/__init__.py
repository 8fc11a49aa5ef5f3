"""How fast, always as a ratio against a baseline in the same run: absolute rates are the machine's, not ours."""
