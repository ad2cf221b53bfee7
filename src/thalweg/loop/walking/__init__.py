"""A block of every walker, and the four answers that the gate gives to it."""
