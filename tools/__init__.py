"""What maintainers run: benchmarks, browser tests, third-party servers, signatures of the faults."""
