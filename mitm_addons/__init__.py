"""Load balancers on mitmproxy, in a process of their own.  Knows model and decoders, never verdicts."""
