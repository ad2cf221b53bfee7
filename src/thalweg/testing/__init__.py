"""Toy systems for tests, here and of third parties."""
