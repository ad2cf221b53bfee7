"""The conversation between a model and its oracle. Start with `runner`, then `policy`."""
