"""Helpers shared by tests, benchmarks and the demo: copying samples to the device and comparing runs with CPU."""
