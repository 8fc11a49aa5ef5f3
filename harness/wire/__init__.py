"""How stimuli are made, sent and recorded.  Knows nothing of requirements, checks or verdicts."""
