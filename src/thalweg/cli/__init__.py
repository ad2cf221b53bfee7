"""The command line: one file for each verb; what the verbs do lives in the library."""

from thalweg.cli.app import main

__all__ = ["main"]
