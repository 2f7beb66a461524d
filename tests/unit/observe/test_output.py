"""The log as lines."""

import io
import json
import logging
import sys
from typing import Any

import pytest

from syncer.model.secret import Secret
from syncer.net.redact import remember
from syncer.observe.output import Format, Level, capture_library_logs, open_log
from tests.support.clock import InstantClock

FORMS: tuple[Format, ...] = ("json", "console")


def _logged(form: Format, level: Level = "debug", **fields: Any) -> str:
    stream = io.StringIO()
    log = open_log(InstantClock(), form, level, stream=stream)
    log.info("something happened", **fields)
    return stream.getvalue()


def test_json_lines_carry_time_level_and_fields() -> None:
    """One object a line: UTC time, level, event, then the fields."""
    line = _logged("json", items=3, sinks=["lake"], nothing=None, share=0.5)
    assert line.endswith("}\n")
    assert json.loads(line) == {
        "timestamp": "2026-11-22T12:00:00.000Z",
        "level": "info",
        "event": "something happened",
        "items": 3,
        "sinks": ["lake"],
        "nothing": None,
        "share": 0.5,
    }


def test_console_lines_are_for_people() -> None:
    """Time of day, level, message, `key=value`; no colours unless asked for."""
    line = _logged("console", items=3)
    assert "[info]" in line
    assert "something happened" in line
    assert "items=3" in line
    assert "\x1b" not in line


def test_levels_below_the_chosen_one_are_not_written() -> None:
    """`-q` and the like."""
    assert _logged("json", "warning") == ""


def test_rule_24_credentials_are_masked_wherever_they_stand() -> None:
    """Registered values, authorization headers, tokens in URLs and nested fields are masked in both formats."""
    remember("registered-credential")
    fields: dict[str, Any] = {
        "a": "saw registered-credential here",
        "b": "Authorization: Bearer abcdefghijklmnop",
        "c": "https://user:pass-word@host/path?X-Amz-Signature=abcdef",
        "d": {"inner": ["registered-credential"]},
        "e": Secret.literal("registered-credential"),
        "f": ValueError("registered-credential"),
        "api_key": "zzz-not-registered",
    }
    for form in FORMS:
        line = _logged(form, **fields)
        for leak in ("registered-credential", "abcdefghijklmnop", "pass-word", "abcdef", "zzz-not"):
            assert leak not in line


def test_rule_24_texts_from_a_platform_can_not_steer_the_terminal() -> None:
    """Escape sequences, line breaks and direction marks are spelt out in both formats, keys included."""
    for form in FORMS:
        line = _logged(form, title="\x1b[2Jevil\nnext \u202e", fields={"k\x1b": "v"})
        assert "\x1b" not in line
        assert "\u202e" not in line
        assert line.count("\n") == 1


def test_a_traceback_keeps_its_lines() -> None:
    """An exception is written with its traceback, redacted, line by line."""
    remember("in-the-traceback")
    for form in FORMS:
        stream = io.StringIO()
        log = open_log(InstantClock(), form, stream=stream)
        try:
            int("in-the-traceback")
        except ValueError:
            log.exception("bug")
        text = stream.getvalue()
        assert "Traceback" in text
        assert "base 10: '***'" in text
        assert ("\\n" in text) == (form == "json")


def test_lines_go_to_whatever_standard_error_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a live line is drawn, standard error is replaced; the log follows."""
    log = open_log(InstantClock(), "json")
    later = io.StringIO()
    monkeypatch.setattr(sys, "stderr", later)
    log.warning("x")
    assert json.loads(later.getvalue())["event"] == "x"


def test_what_libraries_log_goes_the_same_way() -> None:
    """Warnings of libraries are redacted lines of ours, with the logger's name; handlers come back afterwards."""
    stream = io.StringIO()
    log = open_log(InstantClock(), "json", stream=stream)
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    with capture_library_logs(log):
        logging.getLogger("some.library").warning("odd: %s", "token=abcdefgh")
        logging.getLogger("some.library").info("chatter")
    assert (root.handlers, root.level) == before
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["logger"], line["level"]) for line in lines] == [
        ("odd: token=***", "some.library", "warning")
    ]
