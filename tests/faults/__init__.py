"""Faults on purpose: programs, what must hold after a fault, and a runner that injects thousands of them."""
