"""The loop of a model and its oracle. Start with `runner`, then `deciding.policy`."""
