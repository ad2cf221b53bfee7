"""Reading YAML with its line numbers: plain data only, and nothing that grows when it is unfolded.

A file is looked at before any value is made of it: its depth and its number of values while it is parsed, then what
aliases repeat, keys that stand twice, and scalars that YAML reads as something else than was meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from thalweg.errors import InputError

LARGEST_FILE = 1_000_000
"""Characters of a configuration, some thousand times those of a long one."""
MOST_VALUES = 10_000
DEEPEST = 50
LONGEST_TEXT = 100_000
LONGEST_NUMBER = 100
"""Characters."""
_CURE = "a configuration holds only settings; keep data in files and name the files here"


class _Loader(yaml.SafeLoader):
    """The safe loader, which also reads `1e-9` as a number: to YAML 1.1 it is text, for want of a point."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)

Location = tuple[str | int, ...]
"""Where a value stands: keys and list positions from the top."""

_TAG = "tag:yaml.org,2002:"
_ODD_INTEGER = re.compile(r"[-+]?0(b[01_]+|x[0-9a-fA-F_]+|[0-7_]+)")
_LARGEST_NUMBER = 1e30


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
    """Parse `text`; `name` is what messages call it.

    Raises
    ------
    InputError
        With the line at fault: no YAML; more, deeper or longer than a configuration can be, aliases unfolded; a key
        that stands twice; a value that is neither text, number, true, false, null, list nor mapping.
    """
    if len(text) > LARGEST_FILE:
        raise InputError(f"{name}: {len(text):,} characters, the limit is {LARGEST_FILE:,}; {_CURE}")
    try:
        _measure(text, name)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is not None:
                unfolded(node, name)
            lines = dict(_walk(node, (), name, set())) if node is not None else {}
            data = loader.construct_document(node) if node is not None else None
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}" if mark is not None else name
        raise InputError(f"{where}: this is not YAML: {_brief(error.problem or error.context)}") from None
    except yaml.reader.ReaderError as error:
        raise InputError(_unprintable(error, text, name)) from None
    except (yaml.YAMLError, ValueError, LookupError, TypeError, RecursionError, OverflowError) as error:
        raise InputError(f"{name}: this is not YAML: {_brief(error)}") from None
    check_plain(data, name)
    return YamlSource(name, data, lines)


def _unprintable(error: yaml.reader.ReaderError, text: str, name: str) -> str:
    """Where a character stands that no text holds, such as NUL."""
    line = text.count("\n", 0, error.position) + 1 if isinstance(error.position, int) else 1
    code = ord(error.character) if isinstance(error.character, str) else error.character
    return (
        f"{name}:{line}: a character that is no text (code {code}); remove it, or save the file as UTF-8 text"
    )


def _brief(text: object) -> str:
    """Not more of an error's text than a line holds: it may quote the whole file."""
    words = str(text)
    return words if len(words) <= 200 else words[:200] + " ..."


def _measure(text: str, name: str) -> None:
    """Depth, number and length of values, while they are parsed: no tree is built of what is too much."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        line = event.start_mark.line + 1 if event.start_mark is not None else 1
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.ScalarEvent) and len(event.value) > LONGEST_TEXT:
            raise InputError(
                f"{name}:{line}: a text of {len(event.value):,} characters, the limit is {LONGEST_TEXT:,}; put it into "
                "a file and name the file"
            )
        if depth > DEEPEST:
            raise InputError(f"{name}:{line}: nested more than {DEEPEST} deep; {_CURE}")
        if count > MOST_VALUES:
            raise InputError(f"{name}:{line}: more than {MOST_VALUES:,} values; {_CURE}")


def unfolded(root: yaml.Node, name: str) -> int:
    """How many values `root` is with its aliases written out; InputError where one holds itself, or for too many."""
    sizes: dict[int, int] = {}
    under_way: set[int] = set()

    def size(node: yaml.Node) -> int:
        if id(node) in sizes:
            return sizes[id(node)]
        line = node.start_mark.line + 1
        if id(node) in under_way:
            raise InputError(f"{name}:{line}: an anchor (&) contains its own alias (*); write the value out")
        under_way.add(id(node))
        total = 1 + sum(size(child) for child in _children(node))
        under_way.discard(id(node))
        if total > MOST_VALUES:
            raise InputError(
                f"{name}:{line}: with its aliases (*) expanded it has more than {MOST_VALUES:,} values; {_CURE}"
            )
        sizes[id(node)] = total
        return total

    return size(root)


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _walk(
    node: yaml.Node, location: Location, name: str, visited: set[int]
) -> Iterator[tuple[Location, int]]:
    """Every location under `node` with its line; what an alias repeats is visited once."""
    if id(node) in visited:
        return
    visited.add(id(node))
    if not isinstance(node, yaml.ScalarNode):
        _check_tag(node, name)
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise InputError(f"{name}:{line}: a key must be a word, got a list or a mapping")
            _check_key(key, name)
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
    else:
        _check_scalar(node, name)


def _check_key(key: yaml.ScalarNode, name: str) -> None:
    if key.tag not in {_TAG + "str", _TAG + "merge"}:
        raise InputError(
            f"{name}:{key.start_mark.line + 1}: the key {_brief(key.value)} is {_kind(key)} for YAML; keys are text: "
            f'put quotes around it, "{_brief(key.value)}"'
        )


def _check_scalar(node: yaml.Node, name: str) -> None:
    """Refuse what YAML reads as something else than it looks like."""
    _check_tag(node, name)
    where, text = f"{name}:{node.start_mark.line + 1}", str(node.value)
    kind = node.tag.removeprefix(_TAG)
    if kind not in {"int", "float"}:
        return
    if len(text) > LONGEST_NUMBER:
        raise InputError(f"{where}: a number of {len(text):,} digits, the limit is {LONGEST_NUMBER}")
    if ":" in text:
        raise InputError(
            f"{where}: YAML reads {text} in base 60; write a number with its unit, such as 90 min"
        )
    if _is_beyond(text):
        raise InputError(f"{where}: {text} is not a valid number for any setting; for no limit, use null")
    if _ODD_INTEGER.fullmatch(text):
        raise InputError(f"{where}: YAML reads {text} in another base than 10; write it in decimal digits")


def _check_tag(node: yaml.Node, name: str) -> None:
    """Refuse kinds of YAML that no setting takes."""
    kind, where = node.tag.removeprefix(_TAG), f"{name}:{node.start_mark.line + 1}"
    if kind in {"set", "omap", "pairs"}:
        raise InputError(
            f"{where}: a value of the kind !!{kind}; expected text, a number, a list or a mapping"
        )
    if kind in {"timestamp", "binary"}:
        raise InputError(
            f"{where}: {_brief(node.value)} is {_kind(node)} for YAML; if you mean text, put quotes around it"
        )


def _is_beyond(text: str) -> bool:
    """Whether a number is infinite, not a number, or far beyond any quantity."""
    try:
        return not abs(float(text.replace("_", ""))) < _LARGEST_NUMBER
    except ValueError:  # .inf and .nan, or digits of another base
        return text.lower().lstrip("+-") in {".inf", ".nan"}


def _kind(node: yaml.Node) -> str:
    kinds = {
        "timestamp": "a date",
        "int": "a number",
        "float": "a number",
        "bool": "true or false",
        "null": "nothing",
    }
    return kinds.get(node.tag.removeprefix(_TAG), "no text")


def check_plain(data: Any, name: str) -> None:
    """Raise InputError where `data` is not what a configuration can hold, whoever made it.

    Text, finite numbers below 1e30, true, false, null; lists and mappings of them, within the same limits as a file.
    """
    waiting: list[tuple[Any, int]] = [(data, 0)]
    count = 0
    while waiting:
        value, depth = waiting.pop()
        count += 1
        if depth > DEEPEST or count > MOST_VALUES:
            what = (
                f"nested more than {DEEPEST} deep" if depth > DEEPEST else f"more than {MOST_VALUES:,} values"
            )
            raise InputError(f"{name}: {what}; {_CURE}")
        if isinstance(value, Mapping):
            waiting += [(part, depth + 1) for pair in value.items() for part in pair]
        elif isinstance(value, list | tuple):
            waiting += [(item, depth + 1) for item in value]
        elif isinstance(value, str):
            _check_text(value, name)
        elif isinstance(value, int | float) and not abs(value) < _LARGEST_NUMBER:
            raise InputError(f"{name}: {_brief_number(value)} is not a valid number for any setting")


def _check_text(text: str, name: str) -> None:
    if len(text) > LONGEST_TEXT:
        raise InputError(f"{name}: a text of {len(text):,} characters, the limit is {LONGEST_TEXT:,}")
    if "\0" in text:
        raise InputError(f"{name}: the text {_brief(repr(text))} holds a NUL character; remove it")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise InputError(
                f"{name}: {_brief(ascii(text))} is not valid UTF-8; rename or rewrite it"
            ) from None


def _brief_number(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else f"a whole number of {value.bit_length():,} bits"
