"""The verbs of the command line, one module each: ``add(verbs)`` puts a verb on the command line."""
