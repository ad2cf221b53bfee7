"""From a YAML file to a RunConfig, and changes to one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from thalweg.config.messages import explain
from thalweg.config.schema import RunConfig
from thalweg.config.yaml_source import LARGEST_FILE, YamlSource, check_plain, read_yaml
from thalweg.errors import InputError

_Model = TypeVar("_Model", bound=BaseModel)


def load_config(path: str | Path) -> RunConfig:
    """Load the configuration from a YAML file; paths in it are relative to the file's folder.

    Raises
    ------
    InputError
        The file is missing, is not YAML, or has a wrong key or value: one line for each problem, with
        the line number, the dotted key, what was expected and got, and a suggestion for a misspelt key.
    """
    path = Path(path)
    return check_text(_text(path), path)


def _text(path: Path) -> str:
    """The content of a text file, of which no more is read than a configuration can have."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
        text = raw.decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file; `thalweg init STRUCTURE --output {path.name}` writes one"
        ) from None
    except IsADirectoryError:
        raise InputError(f"{path}: expected a configuration file (YAML), but this is a folder") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: cannot be read as UTF-8 text (byte {error.start}); is it a configuration? Save it as UTF-8"
        ) from None
    if len(raw) > LARGEST_FILE:
        raise InputError(
            f"{path}: more than {LARGEST_FILE:,} bytes; a configuration holds only settings; is this the right file?"
        )
    return text


def check_text(text: str, path: Path) -> RunConfig:
    """The configuration in `text`, which is or will be the content of `path`; raises InputError as above."""
    folder = path.resolve().parent
    check_plain(str(folder), "the folder of the configuration")
    return _validated(read_yaml(text, path.name), folder)


def validate(data: Any, source: str = "configuration", folder: Path | None = None) -> RunConfig:
    """A configuration from plain data; relative paths start from `folder` (None: they stay as they are)."""
    check_plain(data, source)
    return _validated(YamlSource(source, data, {}), folder)


def override(config: RunConfig, changes: dict[str, Any]) -> RunConfig:
    """`config` with new values for dotted keys, for example `{"budget.oracle_calls": 200}`, and checked again."""
    data = config.model_dump(mode="json")
    for dotted, value in changes.items():
        *sections, key = dotted.split(".")
        place = data
        for section in sections:
            place = place[section]
        place[key] = value
    return validate(data, source="command line")


def settings_from_words(schema: type[_Model], words: list[str]) -> _Model:
    """A section of the configuration from words such as `r_cut=5`, as typed on the command line.

    Values are YAML (`max_degree=[10,8]`). Raises InputError as `load_config` does.
    """
    source, data = "command line", {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise InputError(
                f'{source}: expected KEY=VALUE, got "{word}"; keys: {", ".join(schema.model_fields)}'
            )
        data[key] = read_yaml(value, f"{source}: {key}").data
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        raise InputError(explain(error, YamlSource(source, data, {}), schema)) from None


def _validated(source: YamlSource, folder: Path | None) -> RunConfig:
    if not isinstance(source.data, dict):
        got = "an empty file" if source.data is None else f"a {type(source.data).__name__}"
        raise InputError(
            f"{source.name}: expected keys such as `system:` and `oracle:`, got {got}; "
            "`thalweg init` writes a configuration to start from"
        )
    try:
        return RunConfig.model_validate(source.data, context={"folder": folder} if folder else None)
    except ValidationError as error:
        raise InputError(explain(error, source, RunConfig)) from None
