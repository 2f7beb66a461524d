"""The YAML reader."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.model.errors import SettingsError
from syncer.settings.document import MAX_FILE, parse, read, scalar
from syncer.settings.problems import SettingsRefused


def _refusal(text: str) -> str:
    with pytest.raises(SettingsRefused) as caught:
        parse(text, Path("syncer.yaml"))
    return str(caught.value)


def test_values_and_their_lines() -> None:
    """Values come with the line that they stand in."""
    document = parse("a: 1\nb:\n  - x\n  - {c: true}\n")
    assert document.tree == {"a": 1, "b": ["x", {"c": True}]}
    assert document.lines["b", 1, "c"] == 4
    assert document.lines["b",] == 2


def test_an_empty_file_is_an_empty_configuration() -> None:
    """Nothing, or comments only, is an empty mapping."""
    assert parse("").tree == {}
    assert parse("# nothing yet\n---\n").tree == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("007", "007"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-01-31", "2026-01-31"),
        ("12e5", "12e5"),
        ("+5", "+5"),
        ("-5", -5),
        ("5", 5),
        ("0", 0),
        ("1.5", 1.5),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        (".inf", ".inf"),
        ("'5'", "5"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    """Project names such as `no`, `007` and `12:30` stay text; only plain decimals become numbers."""
    found = parse(f"value: {text}").tree["value"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_the_text_that_stands_there() -> None:
    """A project or job called 7, true or no keeps its name."""
    assert parse("{7: a, true: b, no: c, 1.10: d}").tree == {"7": "a", "true": "b", "no": "c", "1.10": "d"}


def test_a_key_that_stands_twice_is_refused() -> None:
    """The message names the dotted path and both lines; every such key is listed."""
    message = _refusal("jobs:\n  a: 1\n  b: 2\n  a: 3\nstate: x\nstate: y\n")
    assert message.splitlines() == [
        "state: stands twice, first in line 5 (syncer.yaml, line 6)",
        "jobs.a: stands twice, first in line 2 (syncer.yaml, line 4)",
    ]


def test_anchors_and_merge_keys_work() -> None:
    """An anchor is reused by alias and by `<<`, and a key beside `<<` wins."""
    text = "x-common: &c {a: 1, b: 2}\none: *c\ntwo: {<<: *c, b: 3}\n"
    assert parse(text).tree == {"x-common": {"a": 1, "b": 2}, "one": {"a": 1, "b": 2}, "two": {"a": 1, "b": 3}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1, 2", "not valid YAML"),
        ("a: b: c", "not valid YAML: mapping values are not allowed here"),
        (
            "a: !!python/object/apply:os.system [ls]",
            "a: the tag tag:yaml.org,2002:python/object/apply:os.system has no place",
        ),
        ("a: !secret x", "a: the tag !secret has no place"),
        ("a: !!binary aGVsbG8=", "a: the tag tag:yaml.org,2002:binary has no place"),
        ("a: !!int x", "a: not a value of tag:yaml.org,2002:int"),
        ("a: !!bool x", "a: not a value of tag:yaml.org,2002:bool"),
        ("a: \x00", "not valid YAML"),
        ("- a\n- b", "expected a mapping of state, platforms, sinks and jobs"),
        ("just words", "expected a mapping"),
        ("a: &a [*a]", "a.0: an alias that contains itself"),
        ("{[1, 2]: x}", "a key has to be plain text"),
        ("a: 1\n---\nb: 2", "not valid YAML"),
        ("[" * 2_000, "nested too deeply"),
        (
            "a: &a [" + "x," * 400 + "]\nb: &b [" + "*a," * 400 + "]\nc: [" + "*b," * 400 + "]",
            "expand to too many values",
        ),
    ],
)
def test_what_is_no_configuration_is_refused(text: str, words: str) -> None:
    """Broken YAML, foreign tags, endless or exploding aliases: refused, with a reason."""
    assert words in _refusal(text)


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    """Missing, binary and oversized files are settings errors that name the file."""
    with pytest.raises(SettingsError, match=r"can't read the configuration .*absent\.yaml: No such file"):
        read(tmp_path / "absent.yaml")
    with pytest.raises(SettingsError, match="can't read the configuration"):
        read(tmp_path)
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not UTF-8 text"):
        read(binary)
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (MAX_FILE + 1))
    with pytest.raises(SettingsError, match="larger than 1 MiB"):
        read(large)


def test_a_byte_order_mark_is_fine(tmp_path: Path) -> None:
    """A file that an editor on Windows saved is read like any other."""
    file = tmp_path / "syncer.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\n")
    assert read(file).tree == {"a": 1}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("true", True),
        ("[a, 2]", ["a", 2]),
        ("{a: 1}", {"a": 1}),
        ("'5'", "5"),
        ('"x y"', "x y"),
        ("null", None),
        ("", None),
        ("abc #def", "abc #def"),
        ("a: b", "a: b"),
        ("*x", "*x"),
        ("&a b", "&a b"),
        ("|", "|"),
        ("[x", "[x"),
        ("a\nb: c", "a\nb: c"),
        ("!!str 5", "!!str 5"),
        ("0 2 * * *", "0 2 * * *"),
        ("env:TOKEN", "env:TOKEN"),
    ],
)
def test_override_values_are_yaml_and_text_stays_as_it_is(text: str, value: object) -> None:
    """An override's value is typed as in YAML; what YAML would cut or refuse stays text."""
    assert scalar(text) == value


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    """Any text is read, or refused as settings; nothing else is raised."""
    scalar(text)
    with contextlib.suppress(SettingsRefused):
        assert isinstance(parse(text).tree, dict)
