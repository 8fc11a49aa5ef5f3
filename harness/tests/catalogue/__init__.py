"""What the catalogue's loader refuses and how its cases come about."""
