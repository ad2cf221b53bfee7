"""From moments worth a question to the oracle's answers, learned."""
