"""The generic TLS and token server that every reference subsystem is built on."""
