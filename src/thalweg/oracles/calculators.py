"""Finding and building ASE calculators from what a configuration can say: a dotted path and plain options."""

from __future__ import annotations

import copy
import difflib
import importlib
import inspect
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from thalweg.errors import InputError, SetupError, check
from thalweg.isolation import STARTED_IN

_PATH_WORD = re.compile(r"(?<!\S)(?:\.{1,2}|~)/\S*")
_DEEPEST = 20


def load_factory(dotted_path: str) -> Any:
    """The class or function at 'package.module.Name'.

    Raises
    ------
    InputError
        Not a dotted path, no such module or name (with the nearest one), or not callable.
    SetupError
        The module exists but something that it needs does not.
    """
    module_name, _, name = dotted_path.rpartition(".")
    if not module_name or not all(part.isidentifier() for part in dotted_path.split(".")):
        raise InputError(
            "oracle ase: calculator must be a dotted path such as 'ase.calculators.emt.EMT', "
            f"got {dotted_path!r}"
        )
    module = _module(module_name, dotted_path)
    factory = getattr(module, name, None)
    if factory is None:
        near = difflib.get_close_matches(name, dir(module), n=1)
        hint = f"; did you mean {module_name}.{near[0]}?" if near else ""
        raise InputError(f"oracle ase: {module_name} has no {name!r}{hint}")
    check(callable(factory), f"oracle ase: {dotted_path} is not a calculator class or factory")
    return factory


def _module(module_name: str, dotted_path: str) -> Any:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = str(error.name)
        if module_name == missing or module_name.startswith(missing + "."):
            raise InputError(
                f"oracle ase: there is no module {missing!r} (in calculator: {dotted_path!r}); check the "
                "spelling, or install the package that has it"
            ) from error
        raise SetupError(f"oracle ase: {module_name} needs {missing!r}; `pip install {missing}`") from error
    except ImportError as error:
        raise SetupError(f"oracle ase: {module_name} cannot be imported: {error}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may do anything when it is imported, SystemExit as well
        raise SetupError(
            f"oracle ase: {module_name} cannot be imported: {type(error).__name__}: {error}"
        ) from error


def build(factory: Any, options: Mapping[str, Any], dotted_path: str) -> Any:
    """The calculator; `options` are copied, paths in them made absolute, and a `profile` made the calculator's own.

    Raises InputError with the calculator's words when it cannot be built.
    """
    arguments = {key: absolute(value, key) for key, value in options.items()}
    if isinstance(arguments.get("profile"), Mapping):
        arguments["profile"] = _profile(factory, arguments["profile"], dotted_path)
    try:
        return factory(**arguments)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit as well: a calculator must not end the run
        raise InputError(
            f"oracle ase: {dotted_path} cannot be built with options {dict(options)!r}: "
            f"{type(error).__name__}: {error}"
        ) from error


def _profile(factory: Any, settings: Mapping[str, Any], dotted_path: str) -> Any:
    """The profile (command, folders) that a calculator of ASE's new kind for programs wants as an object."""
    profile_class = _profile_class(factory)
    if profile_class is None:
        return settings  # a calculator or factory that takes a plain mapping
    known = [name for name in inspect.signature(profile_class).parameters if name != "kwargs"]
    for key in settings:
        near = difflib.get_close_matches(str(key), known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        check(
            key in known,
            f"oracle ase: options.profile has no {key!r} for {dotted_path} (it has {', '.join(known)}){hint}",
        )
    try:
        return profile_class(**settings)
    except Exception as error:
        raise InputError(
            f"oracle ase: options.profile of {dotted_path} takes {', '.join(known)}; got {dict(settings)!r}: {error}"
        ) from error


def _profile_class(factory: Any) -> Any:
    """The profile class that stands beside the calculator's class, or beside a base of it; None where none does."""
    from ase.calculators.genericfileio import BaseProfile, GenericFileIOCalculator

    if not (isinstance(factory, type) and issubclass(factory, GenericFileIOCalculator)):
        return None
    for cls in factory.__mro__:
        if cls is GenericFileIOCalculator:
            return None
        beside = vars(sys.modules[cls.__module__]).values()
        found = [
            thing
            for thing in beside
            if isinstance(thing, type) and issubclass(thing, BaseProfile) and thing is not BaseProfile
        ]
        if len(found) == 1:
            return found[0]
    return None


def absolute(value: Any, key: str = "", depth: int = 0) -> Any:
    """A copy in which texts that begin with `./`, `../` or `~` are paths from where the command was given.

    A calculator runs in a scratch folder, where relative paths would lead nowhere. In a `command` each such word is
    made absolute.
    """
    check(depth < _DEEPEST, f"oracle ase: options are nested more than {_DEEPEST} levels deep")
    if isinstance(value, Mapping):
        return {inner: absolute(item, str(inner), depth + 1) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([absolute(item, key, depth + 1) for item in value])
    if not isinstance(value, str):
        return value
    if key.endswith("command"):
        return _PATH_WORD.sub(lambda match: shlex.quote(_from_start(match.group())), value)
    is_path = value in {".", ".."} or value.startswith(("./", "../", "~"))
    return _from_start(value) if is_path else value


def _from_start(text: str) -> str:
    if text.startswith("~"):
        try:
            return str(Path(text).expanduser())
        except RuntimeError:  # no such user: not a path
            return text
    return str((STARTED_IN / text).resolve())


def parts(calculator: Any, depth: int = 0) -> Iterator[Any]:
    """The calculator and those that it is made of (sums, mixtures, corrections on top of another)."""
    yield calculator
    if depth > 3:
        return
    inner = [attribute(calculator, name) for name in ("calculator", "calc", "dft")]
    for holder in (calculator, attribute(calculator, "mixer")):
        several = attribute(holder, "calcs")
        inner += list(several) if isinstance(several, list | tuple) else []
    for part in inner:
        if part is not None and part is not calculator and hasattr(part, "get_potential_energy"):
            yield from parts(part, depth + 1)


def use_folder(calculator: Any, folder: Path) -> None:
    """Have the calculator and its parts work in `folder`, whatever their options say: two workers would share theirs.

    A calculator that does not let its folder be set runs with `folder` as the current one.
    """
    for part in parts(calculator):
        if attribute(part, "directory") is not None or hasattr(type(part), "directory"):
            with suppress(AttributeError):
                part.directory = folder


def attribute(thing: Any, name: str) -> Any:
    """An attribute, or None where there is none or it cannot be computed."""
    try:
        return getattr(thing, name, None)
    except Exception:
        return None


def is_calculator(thing: object) -> bool:
    """Whether an object is an ASE calculator, by what such have."""
    return (
        not isinstance(thing, type)
        and hasattr(thing, "implemented_properties")
        and hasattr(thing, "get_property")
    )


def path_of(calculator: object) -> str:
    """Dotted path of a calculator's class."""
    return f"{type(calculator).__module__}.{type(calculator).__qualname__}"


def copied(calculator: Any) -> Any:
    """A fresh calculator with the same settings; InputError where it cannot be copied."""
    try:
        fresh = copy.deepcopy(calculator)
    except Exception as error:
        raise InputError(
            f"oracle: {path_of(calculator)} cannot be copied for each call ({type(error).__name__}: {error}); name a "
            "function that makes one: oracle: {name: ase, calculator: my_module.make_it}"
        ) from error
    with suppress(Exception):
        fresh.reset()
    return fresh
