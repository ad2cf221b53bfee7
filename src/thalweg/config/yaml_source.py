"""Reading YAML with its line numbers: safe types only, and a key twice in one mapping is an error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from thalweg.errors import InputError


class _Loader(yaml.SafeLoader):
    """The safe loader, which also reads `1e-9` as a number: to YAML 1.1 it is text, for want of a point."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)

Location = tuple[str | int, ...]
"""Where a value stands: keys and list positions from the top."""


@dataclass(frozen=True)
class YamlSource:
    """A parsed file: its data, and the line (from 1) on which each key or list item begins."""

    name: str
    data: Any
    lines: dict[Location, int]

    def line(self, location: Location) -> int | None:
        """The line of `location`, or of the nearest enclosing key that has one."""
        for length in range(len(location), 0, -1):
            if location[:length] in self.lines:
                return self.lines[location[:length]]
        return None


def read_yaml(text: str, name: str) -> YamlSource:
    """Parse `text`; `name` is what messages call it. Raises InputError with the line at fault."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        lines = dict(_walk(node, (), name, set())) if node is not None else {}
        data = loader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}" if mark is not None else name
        raise InputError(f"{where}: this is not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{name}: this is not YAML: {error}") from None
    finally:
        loader.dispose()
    return YamlSource(name, data, lines)


def _walk(
    node: yaml.Node, location: Location, name: str, visited: set[int]
) -> Iterator[tuple[Location, int]]:
    """Every location under `node` with its line; what an alias repeats is visited once."""
    if id(node) in visited:
        return
    visited.add(id(node))
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise InputError(f"{name}:{line}: a key must be a word, got a list or a mapping")
            if key.value in seen:
                dotted, first = ".".join(map(str, (*location, key.value))), seen[key.value]
                raise InputError(f"{name}:{line}: {dotted}: given twice (first on line {first}); keep one")
            seen[key.value] = line
            yield (*location, key.value), line
            yield from _walk(value, (*location, key.value), name, visited)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*location, index), item.start_mark.line + 1
            yield from _walk(item, (*location, index), name, visited)
