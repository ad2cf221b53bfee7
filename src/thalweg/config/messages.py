"""Validation problems in the user's words: the dotted key, what was expected and got, the likely cure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from thalweg.config.oracle import settings_of
from thalweg.config.yaml_source import Location, YamlSource
from thalweg.errors import ThalwegError
from thalweg.settings.fields import shown

MOST_LINES, LONGEST_LINE = 20, 500
"""Of a message: more problems than that have one cause."""
MOST_EXPLAINED = 1000


def explain(error: ValidationError, source: YamlSource, schema: type[BaseModel]) -> str:
    """One line for each problem, in the order of the file."""
    lines = []
    for problem in error.errors(include_url=False)[:MOST_EXPLAINED]:
        location = _location(problem, source.data)
        line = source.line(location)
        where = f"{source.name}:{line}" if line is not None else source.name
        lines.append((line or 0, f"{where}: {_explain_one(problem, location, source.data, schema)}"))
    told = [text for _, text in sorted(lines, key=lambda pair: pair[0])]
    further = (
        [f"{source.name}: and {len(told) - MOST_LINES} further problems"] if len(told) > MOST_LINES else []
    )
    return "\n".join([_brief(text) for text in told[:MOST_LINES]] + further)


def _brief(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]} ..."


def known_keys(schema: type[BaseModel]) -> list[str]:
    """Every dotted key that `schema` knows, sections included."""
    return list(dict.fromkeys(_walk_keys(schema, "")))


def _explain_one(problem: ErrorDetails, location: Location, data: Any, schema: type[BaseModel]) -> str:
    key, kind, value = ".".join(map(str, location)), problem["type"], problem["input"]
    context = problem.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{key}: unknown key; {_suggest(key, data, schema)}"
    if kind == "missing":
        return f"{key}: this key is required but missing"
    if kind == "value_error":
        # validators of a whole section begin their message with the key at fault
        text = str(context.get("error", problem["msg"]))
        about_a_key = text.partition(":")[0].isidentifier() and isinstance(value, dict | BaseModel)
        return f"{key}.{text}" if about_a_key else f"{key}: {text}"
    return f"{key}: {_expectation(problem, key, schema)}, got {shown(value)}{_nearest(problem)}"


def _expectation(problem: ErrorDetails, key: str, schema: type[BaseModel]) -> str:
    kind = problem["type"]
    if kind == "literal_error":
        return f"expected {problem['ctx']['expected']}"
    if kind in {"model_type", "model_attributes_type", "dict_type"}:
        return f"expected {_keys_below(key, schema)}"
    if kind in {"string_type", "string_too_short"}:
        return "expected text"
    if kind in {"bool_type", "bool_parsing"}:
        return "expected true or false"
    return problem["msg"][:1].lower() + problem["msg"][1:]


def _location(problem: ErrorDetails, data: Any) -> Location:
    """Pydantic's location without the tags of unions and the inner keys of short forms."""
    location: list[str | int] = []
    for position, part in enumerate(problem["loc"]):
        last = position == len(problem["loc"]) - 1
        in_list = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if in_list or (isinstance(data, dict) and part in data):
            data = data[part]
        elif not (last and problem["type"] == "missing"):
            continue
        location.append(part)
    return tuple(location)


def _suggest(key: str, data: Any, schema: type[BaseModel]) -> str:
    """A likely key: the same word elsewhere, a near miss in the section or elsewhere, else all its keys."""
    section, _, word = key.rpartition(".")
    known = known_keys(schema)
    if section == "oracle" and isinstance(data, dict):
        siblings = [f"oracle.{name}" for name in _oracle_keys(data.get("oracle"))]
    else:
        siblings = [k for k in known if k.rpartition(".")[0] == section]
    same_word = [k for k in known if k.rpartition(".")[2] == word]
    longer = [k for k in siblings if k.rpartition(".")[2].startswith(word)]
    for candidate in (*same_word, *longer, *_near(word, siblings, 0.65), *_near(word, known, 0.8)):
        return f"did you mean {candidate}?"
    names = ", ".join(k.rpartition(".")[2] for k in siblings)
    return f"expected one of {names}" if names else "it takes no keys"


def _near(word: str, keys: list[str], cutoff: float) -> list[str]:
    """The dotted key whose last word is closest to `word`, if any is close."""
    leaves = {k.rpartition(".")[2]: k for k in reversed(keys)}
    return [leaves[leaf] for leaf in difflib.get_close_matches(word, leaves, n=1, cutoff=cutoff)]


def _nearest(problem: ErrorDetails) -> str:
    """For a choice between words: the one that was probably meant."""
    if problem["type"] != "literal_error":
        return ""
    words = [word.strip("' ") for word in problem["ctx"]["expected"].replace(" or ", ",").split(",")]
    given = str(problem["input"]).lower()
    near = difflib.get_close_matches(given, [word.lower() for word in words], n=1, cutoff=0.5)
    found = next((word for word in words if near and word.lower() == near[0]), None)
    return f"; did you mean {found}?" if found else ""


def _keys_below(key: str, schema: type[BaseModel]) -> str:
    below = [k.rpartition(".")[2] for k in known_keys(schema) if k.rpartition(".")[0] == key]
    return f"a mapping with keys such as {', '.join(below[:4])}" if below else "a mapping (key: value)"


def _oracle_keys(given: Any) -> list[str]:
    """The settings of the oracle that the user named."""
    try:
        return list(settings_of(given.get("name") if isinstance(given, dict) else given).model_fields)
    except ThalwegError:
        return ["name"]


def _walk_keys(schema: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in schema.model_fields.items():
        yield prefix + name
        for model in nested_models(field.annotation):
            yield from _walk_keys(model, f"{prefix}{name}.")


def nested_models(annotation: Any) -> list[type[BaseModel]]:
    """The models inside an annotation: itself, or the members of a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) is Annotated:
        return nested_models(get_args(annotation)[0])
    return [model for argument in get_args(annotation) for model in nested_models(argument)]
