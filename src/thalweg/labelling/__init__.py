"""The one road to an oracle: every call is a question that goes through one Labeller."""
