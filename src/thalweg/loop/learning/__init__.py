"""Everything that labels teach."""
