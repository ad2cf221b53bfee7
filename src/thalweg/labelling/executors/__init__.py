"""Where calls of an oracle run."""
