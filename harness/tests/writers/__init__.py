"""What a run leaves behind, whatever the disk and the target do."""
