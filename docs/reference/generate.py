"""Writes the pages of this folder from the code that they describe; run it when a test calls one stale.

    python docs/reference/generate.py

configuration.md comes from the schema's descriptions, cli.md from the verbs' signatures and docstrings,
python.md from those of the public names. `render()` gives the pages without writing them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.models import ArgumentInfo, OptionInfo

import thalweg
from thalweg.cli.app import app
from thalweg.cli.failures import EXIT_CODES
from thalweg.config import RunConfig, SystemConfig
from thalweg.config.messages import nested_models
from thalweg.oracles.registry import BUILT_IN
from thalweg.settings.fields import InUnit

FOLDER = Path(__file__).parent
MARK = "<!-- Written by docs/reference/generate.py; change the code's descriptions instead. -->\n"


def render() -> dict[str, str]:
    """The pages, by file name."""
    pages = {"configuration.md": configuration(), "cli.md": command_line(), "python.md": python()}
    return {name: text.rstrip() + "\n" for name, text in pages.items()}


# --- configuration --------------------------------------------------------------------------------------


def configuration() -> str:
    """Every key with its unit, default and meaning."""
    parts = [
        MARK,
        "# Configuration\n",
        "A configuration is a YAML file. Only `system` and `oracle` are needed; everything else has a "
        "default. A bare number is in the unit of its row; a number may also carry a unit (`150 meV/Å`, "
        "`50 ps`, `2 h`). `thalweg init STRUCTURE` writes a file with all of this as comments; an unknown or "
        "misspelt key is refused with a suggestion. [The guide](../guide.md) says what to choose and why.\n",
        "Short forms: `oracle: tblite` for `oracle: {name: tblite}`, and a path or a list of paths for "
        "`system`.\n",
    ]
    for key, field in RunConfig.model_fields.items():
        parts += _section(key, field)
    return "\n".join(parts)


def _section(key: str, field: FieldInfo) -> Iterator[str]:
    yield f"## {key}\n"
    yield f"{field.description}\n"
    models: list[tuple[str, type[BaseModel]]]
    if key == "oracle":
        models = [(f"`name: {name}`", entry.settings) for name, entry in BUILT_IN.items()]
    elif key == "system":
        models = [("", SystemConfig)]
    else:
        models = [("", model) for model in nested_models(field.annotation)]
    if not models:
        yield _HEAD + "\n" + _row(key, field) + "\n"
    for title, model in models:
        if title:
            yield f"{title}: {inspect.cleandoc(model.__doc__ or '')}\n"
        yield _HEAD + "\n" + "\n".join(_rows(f"{key}.", model)) + "\n"
    if key == "oracle":
        yield _OTHERS


_HEAD = "| key | unit | default | meaning |\n|---|---|---|---|"
_OTHERS = (
    "Packages may bring oracles of their own ([how](../develop/add_an_oracle.md)); `thalweg doctor` lists every name "
    "that `oracle:` takes on a machine.\n"
)


def _rows(prefix: str, model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = nested_models(field.annotation)
        if inner:
            yield from _rows(f"{prefix}{name}.", inner[0])
        else:
            yield _row(prefix + name, field)


def _row(key: str, field: FieldInfo) -> str:
    unit = next((m.unit for m in field.metadata if isinstance(m, InUnit)), "")
    meaning = (field.description or "").replace("|", "\\|")
    choices = get_args(field.annotation) if get_origin(field.annotation) is not None else ()
    if choices and all(isinstance(choice, str) for choice in choices) and len(choices) > 1:
        meaning += " One of " + ", ".join(f"`{choice}`" for choice in choices) + "."
    return f"| `{key}` | {unit} | {_default(field)} | {meaning} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.default
    return f"`{_plain(value)}`"


def _plain(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_plain, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


# --- command line ---------------------------------------------------------------------------------------


def command_line() -> str:
    """Every verb with its arguments and options."""
    parts = [
        MARK,
        "# Command line\n",
        "`thalweg VERB --help` says the same. With `--json` the answer is one JSON document on stdout.\n",
        f"{EXIT_CODES}\n",
        "`THALWEG_TRACEBACK=1` in the environment adds the traceback to any error.\n",
    ]
    for command in app.registered_commands:
        assert command.callback is not None
        parts += _verb(str(command.name), command.callback)
    return "\n".join(parts)


def _verb(name: str, function: Callable[..., Any]) -> Iterator[str]:
    hints = get_type_hints(function, include_extras=True, localns=vars(inspect.getmodule(function)))
    signature = inspect.signature(function)
    arguments, options = [], []
    for key, parameter in signature.parameters.items():
        info = next((m for m in hints[key].__metadata__ if isinstance(m, ArgumentInfo | OptionInfo)), None)
        if isinstance(info, ArgumentInfo):
            needed = parameter.default is inspect.Parameter.empty
            word = (info.metavar or key).upper()
            arguments.append((word if needed else f"[{word}]", _with_default(info.help, parameter.default)))
        elif isinstance(info, OptionInfo):
            value = "" if parameter.default is False else f" {info.metavar or key.strip('_').upper()}"
            # in `Annotated` the first name stands in the place of the default
            words = ", ".join(f"`{name}{value}`" for name in (info.default, *(info.param_decls or ())))
            options.append((words, _with_default(info.help, parameter.default)))
    yield f"## thalweg {name}\n"
    usage = " ".join(["thalweg", name, *(word for word, _ in arguments), "[OPTIONS]" if options else ""])
    yield f"```\n{usage.rstrip()}\n```\n"
    yield f"{inspect.cleandoc(function.__doc__ or '')}\n"
    if arguments or options:
        rows = [(f"`{word}`", text) for word, text in arguments] + options
        yield "| | |\n|---|---|\n" + "\n".join(f"| {word} | {text} |" for word, text in rows) + "\n"


def _with_default(text: str | None, default: Any) -> str:
    said = (text or "").replace("|", "\\|").replace("<", "\\<")
    if default is inspect.Parameter.empty or default is None or default is False or "[default" in said:
        return said
    return f"{said} [default: {default}]"


# --- Python ---------------------------------------------------------------------------------------------


def python() -> str:
    """Every public name with its signature and docstring."""
    parts = [
        MARK,
        "# Python interface\n",
        "What `import thalweg` offers. Everything below these names may change without notice. Units: eV, Å, "
        "eV/Å, eV/Å³ (stress, Voigt order xx yy zz yz xz xy, ASE's sign); K, ps and fs in arguments.\n",
        "`thalweg.__version__` is the installed version.\n",
    ]
    for name in thalweg.__all__:
        if name != "__version__":
            parts += _public(name, getattr(thalweg, name))
    return "\n".join(parts)


def _public(name: str, thing: Any) -> Iterator[str]:
    yield f"## {name}\n"
    if inspect.isclass(thing) and issubclass(thing, BaseModel):
        yield f"{inspect.cleandoc(thing.__doc__ or '')}\n"
        yield "Its fields are the keys of [the configuration](configuration.md).\n"
        return
    documented = inspect.cleandoc(thing.__doc__ or "")
    if inspect.isclass(thing) and issubclass(thing, Exception):
        yield f"`{name}({thing.__bases__[0].__name__})`: {documented}\n"
        return
    yield "```text"
    yield f"{_signature(name, thing)}\n\n{documented}"
    yield from _methods(thing)
    yield "```\n"


def _methods(thing: Any) -> Iterator[str]:
    if not inspect.isclass(thing):
        return
    for name, member in vars(thing).items():
        function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if name.startswith("_") or not (inspect.isfunction(function) or isinstance(member, property)):
            continue
        said = inspect.cleandoc((member.fget if isinstance(member, property) else function).__doc__ or "")
        head = f".{name}" if isinstance(member, property) else _signature(f".{name}", getattr(thing, name))
        yield f"\n{head}\n" + "\n".join(f"    {line}".rstrip() for line in said.splitlines())


def _signature(name: str, thing: Any) -> str:
    parameters = []
    for parameter in inspect.signature(thing).parameters.values():
        if parameter.name != "self":
            default = _short(parameter.default)
            parameters.append(parameter.replace(annotation=inspect.Parameter.empty, default=default))
    return f"{name}{inspect.Signature(parameters)}"


def _short(default: Any) -> Any:
    """The default, or `...` where its repr would be long and the docstring says what it is."""
    plain = default is None or isinstance(default, str | int | float | bool)
    return default if plain or default is inspect.Parameter.empty else _Ellipsis()


class _Ellipsis:
    """Prints as three dots."""

    def __repr__(self) -> str:
        return "..."


def main() -> None:
    """Write the pages."""
    for name, text in render().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        typer.echo(f"wrote {FOLDER / name}")


if __name__ == "__main__":
    main()
