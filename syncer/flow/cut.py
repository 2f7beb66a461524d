"""Cutting members out of a JSON document without touching any other byte of it. Pure.

A document is never parsed and written again: that would change `1.10`, large numbers and members that stand twice. What
is cut is a span of the text, with the comma that it needed.
"""

import json
import re
from collections.abc import Iterator, Mapping

import msgspec

#: A step into a document: the name of a member, or None for an element of an array.
Step = str | None
#: Objects and arrays in one another, at most.
DEEPEST = 300

_SPACE = re.compile(rb"[ \t\n\r]*")
_STRING = re.compile(rb'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_SCALAR = re.compile(rb"true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
#: What decides where a value ends: strings and brackets.
_SKELETON = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_ESCAPED_KEY = re.compile(rb'"(?:[^"\\]|\\.)*?\\u(?:[^"\\]|\\.)*"[ \t\n\r]*:', re.DOTALL)


class Rules(msgspec.Struct, frozen=True):
    """What is still looked for at one place of a document: names anywhere, and rests of paths, each with its number."""

    anywhere: Mapping[str, int]
    paths: tuple[tuple[int, tuple[str, ...]], ...] = ()

    def step(self, name: Step) -> "tuple[int | None, Rules]":
        """Go into a member or an element; return which rule cuts it, and what is looked for inside."""
        hit = self.anywhere.get(name) if name is not None else None
        rests: list[tuple[int, tuple[str, ...]]] = []
        for number, path in self.paths:
            for rest in _rests(path, name):
                if rest:
                    rests.append((number, rest))
                elif name is not None and hit is None:
                    hit = number
        return hit, self if not self.paths else Rules(self.anywhere, tuple(dict.fromkeys(rests)))


def cut(data: bytes, rules: Rules, hits: list[int]) -> bytes:
    """Return a document without the members that rules name; each that was cut adds its rule's number to `hits`.

    Raises:
        ValueError: it is no JSON, so that nobody can say what it names.
    """
    quick = None if rules.paths else _quick(data, rules)
    spans = _Walker(data, hits).document(rules) if quick is None else [*_quick_spans(data, rules, quick, hits)]
    if not spans:
        return data
    kept: list[bytes] = []
    at = 0
    for start, stop in spans:
        kept.append(data[at:start])
        at = stop
    kept.append(data[at:])
    return b"".join(kept)


def _quick(data: bytes, rules: Rules) -> "re.Pattern[bytes] | None":
    """Return what finds all keys that are cut, where one look for them is enough: no key is spelled with escapes."""
    spelled = [json.dumps(name, ensure_ascii=False) for name in rules.anywhere]
    if any("\\" in text for text in spelled) or (b"\\u" in data and _ESCAPED_KEY.search(data)):
        return None
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # the slow way says what is wrong with it, if anything is
    names = b"|".join(re.escape(text.encode()) for text in spelled)
    return re.compile(rb"(?<!\\)(" + names + rb")[ \t\n\r]*:[ \t\n\r]*")


def _quick_spans(data: bytes, rules: Rules, keys: "re.Pattern[bytes]", hits: list[int]) -> Iterator[tuple[int, int]]:
    """Yield what is cut of a document that is known to be one."""
    last = -1
    for found in keys.finditer(data):
        start = found.start()
        if start < last:
            continue  # it lies in what is cut already
        hits.append(rules.anywhere[json.loads(found[1])])
        stop = _after(data, found.end())
        before = _before_space(data, start)
        if start != last and data[before - 1 : before] == b",":
            start = _before_space(data, before - 1)
        else:
            stop = _to_next(data, stop)
        yield start, stop
        last = stop


def _to_next(data: bytes, stop: int) -> int:
    """Return where the next member begins, or the end of this one if there is none."""
    at = _past_space(data, stop)
    return _past_space(data, at + 1) if data[at : at + 1] == b"," else stop


def _after(data: bytes, at: int) -> int:
    """Return where a value ends."""
    if data[at : at + 1] not in {b"{", b"["}:
        found = (_STRING if data[at : at + 1] == b'"' else _SCALAR).match(data, at)
        if found is None:
            raise _broken(at)
        return found.end()
    depth = 0
    for found in _SKELETON.finditer(data, at):
        if found[0] in {b"{", b"["}:
            depth += 1
        elif found[0] in {b"}", b"]"}:
            depth -= 1
            if not depth:
                return found.end()
    raise _broken(at)


class _Walker(msgspec.Struct):
    """Goes through a document member by member, and notes what is cut."""

    data: bytes
    hits: list[int]
    spans: list[tuple[int, int]] = msgspec.field(default_factory=list)
    depth: int = 0

    def document(self, rules: Rules) -> list[tuple[int, int]]:
        """Return what is cut of the whole document."""
        self.data.decode()  # only UTF-8 is JSON
        at = self._space(self._value(self._space(0), rules))
        if at != len(self.data):
            raise _broken(at)
        return self.spans

    def _value(self, at: int, rules: Rules) -> int:
        """Go through a value; return where it ends."""
        opening = self.data[at : at + 1]
        if opening not in {b"{", b"["}:
            return _after(self.data, at)
        self.depth += 1
        if self.depth > DEEPEST:
            message = f"it is nested more than {DEEPEST} deep"
            raise ValueError(message)
        at = self._space(at + 1)
        if self.data[at : at + 1] == (b"}" if opening == b"{" else b"]"):
            at += 1
        else:
            at = self._members(at, rules) if opening == b"{" else self._elements(at, rules)
        self.depth -= 1
        return at

    def _elements(self, at: int, rules: Rules) -> int:
        _, inside = rules.step(None)
        while True:
            at = self._space(self._value(at, inside))
            if self.data[at : at + 1] == b"]":
                return at + 1
            at = self._comma(at)

    def _members(self, at: int, rules: Rules) -> int:
        kept, lead, end = False, -1, 0
        while True:
            start, key = at, _STRING.match(self.data, at)
            if key is None:
                raise _broken(at)
            hit, inside = rules.step(json.loads(key[0]))
            at = self._space(key.end())
            if self.data[at : at + 1] != b":":
                raise _broken(at)
            before = len(self.spans)
            stop = self._value(self._space(at + 1), inside if hit is None else _NOTHING)
            if hit is None:
                if lead >= 0 and not kept:
                    self.spans.insert(before, (lead, start))
                kept = True
            else:
                self.hits.append(hit)
                if kept:
                    self.spans.append((end, stop))
                lead = start if lead < 0 else lead
            end, at = stop, self._space(stop)
            if self.data[at : at + 1] == b"}":
                if not kept:
                    self.spans.append((lead, end))
                return at + 1
            at = self._comma(at)

    def _comma(self, at: int) -> int:
        if self.data[at : at + 1] != b",":
            raise _broken(at)
        return self._space(at + 1)

    def _space(self, at: int) -> int:
        return _past_space(self.data, at)


_NOTHING = Rules({})


def _past_space(data: bytes, at: int) -> int:
    found = _SPACE.match(data, at)
    return at if found is None else found.end()


def _before_space(data: bytes, at: int) -> int:
    while at and data[at - 1] in b" \t\n\r":
        at -= 1
    return at


def _rests(path: tuple[str, ...], name: Step) -> Iterator[tuple[str, ...]]:
    """Yield what is left of a path after a step; nothing if it leads elsewhere."""
    first, rest = path[0], path[1:]
    if first == "**":
        yield path
        if rest:
            yield from _rests(rest, name)
    elif first in {"*", name}:
        yield rest


def _broken(at: int) -> ValueError:
    return ValueError(f"it is no JSON at byte {at:,}")
