"""Tests of native operators, driven by the table in rows.py, and of the oneDNN layer below them."""
