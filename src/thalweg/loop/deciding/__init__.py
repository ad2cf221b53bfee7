"""What to do next, and when to stop: pure functions, no clock and no I/O."""
