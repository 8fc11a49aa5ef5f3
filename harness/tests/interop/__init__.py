"""The balancers nobody here wrote: what is read in their logs, and how their configurations are filled in."""
