"""The inspector's parts: its session file, reading credentials, its note on an exchange, what it saves."""
