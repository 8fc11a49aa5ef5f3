"""What a client presents: tokens, certificates and transport tricks, each with exactly one thing wrong."""
