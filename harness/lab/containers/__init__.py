"""The container lab: the reference subsystems and balancers in containers, each subsystem on a network of its own."""
