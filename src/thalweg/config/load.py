"""From a YAML file to a RunConfig, and changes to one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from thalweg.config.messages import explain
from thalweg.config.schema import RunConfig
from thalweg.config.yaml_source import YamlSource, read_yaml
from thalweg.errors import InputError

_Model = TypeVar("_Model", bound=BaseModel)


def load_config(path: str | Path) -> RunConfig:
    """The configuration in a YAML file; paths in it are relative to the file's folder.

    Raises
    ------
    InputError
        The file is absent, is not YAML, or a key or value is not right: one line for each problem, with
        the line number, the dotted key, what was expected and got, and a suggestion for a misspelt key.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file; `thalweg init STRUCTURE --output {path.name}` writes one"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: it cannot be read: {error}") from None
    return check_text(text, path)


def check_text(text: str, path: Path) -> RunConfig:
    """The configuration in `text`, which is or will be the content of `path`; raises InputError as above."""
    return _validated(read_yaml(text, path.name), folder=path.resolve().parent)


def validate(data: Any, source: str = "configuration", folder: Path | None = None) -> RunConfig:
    """A configuration from plain data; relative paths start from `folder` (None: they stay as they are)."""
    return _validated(YamlSource(source, data, {}), folder)


def override(config: RunConfig, changes: dict[str, Any]) -> RunConfig:
    """`config` with dotted keys set anew, for example `{"budget.oracle_calls": 200}`, and checked again."""
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
