"""Foundations that need neither PyTorch nor the C++ library: errors, configuration, logging."""
