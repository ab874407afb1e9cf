"""Tests of physical forms, packed weights and the memory below them: a user never sees any of it but by asking."""
