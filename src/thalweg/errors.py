"""Every error Thalweg raises on purpose, split by whose move it is next.

* ThalwegError
  + InputError         the user's move: a config key, a file, a structure, an argument
  + SetupError         the machine's owner's move: a missing extra, a disk, a permission
  + OracleError        the oracle cannot do what is asked of it (never raised for one failed label:
                       that is an outcome, see thalweg.label)
  + StoreError         the run folder: locked, damaged, of a newer schema
  + ModelError         a model asked before it is fitted, or a damaged model folder
    + ExtrapolationError   a structure beyond the error bound or novelty that the caller allows

InputWarning is no error: the input is used, and its user should know how.

Each message says what is wrong, what was expected, what was got and the cure.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class ThalwegError(Exception):
    """Base class of all errors that Thalweg raises; the command line prints the message without a traceback."""


class InputError(ThalwegError):
    """The user's input is not usable."""


class InputWarning(UserWarning):
    """What was made of the user's input beyond what it says: shown by every verb, and a Python warning otherwise."""


class SetupError(ThalwegError):
    """Something is missing on this machine or in the installation; the message says how to get it."""


class OracleError(ThalwegError):
    """The oracle cannot treat this system (for example, it lacks an element)."""


class StoreError(ThalwegError):
    """The run folder cannot be used: locked, damaged, read-only, full, or of a newer schema."""


class ModelError(ThalwegError):
    """A model was used before it was fitted, or a saved model is damaged."""


class ExtrapolationError(ModelError):
    """The potential is less sure of a structure than the caller allows."""


def check(condition: object, message: str) -> None:
    """Raise InputError with `message` unless `condition` holds."""
    if not condition:
        raise InputError(message)


@contextmanager
def core_refusals() -> Iterator[None]:
    """What the native core refuses is the user's move: its ValueError becomes an InputError with the same words."""
    try:
        yield
    except ValueError as error:
        raise InputError(str(error)) from error
