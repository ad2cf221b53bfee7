"""Value types of settings: numbers with units, ranges, and messages that say what was expected."""
