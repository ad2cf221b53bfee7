"""From moments of a trajectory to questions, and from answers to learned labels."""
