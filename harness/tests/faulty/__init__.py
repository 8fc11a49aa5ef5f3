"""Small services that are wrong in exactly one thing each, to be caught through a target file."""
