"""A load of good requests, sent with Locust in processes of its own; ``harness.run.load`` plans it."""
