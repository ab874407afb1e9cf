"""Tests of eager epilogue fusion."""
