"""Tests of native operators, driven by the table in rows/, and of the oneDNN layer below them."""
