"""The harness's own tests; they mirror its folders, run side by side and leave nothing behind."""
