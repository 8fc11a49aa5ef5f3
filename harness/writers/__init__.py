"""What a run leaves behind: run.jsonl, JUnit, the terminal summary.  Writers format; they decide nothing."""
