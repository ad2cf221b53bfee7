"""What a run says: conversation, progress, summary."""
