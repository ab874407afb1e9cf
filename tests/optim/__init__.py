"""Optimizers of the package."""
