"""Nothing in the package can change anything on a platform: it sends GET, and a few POSTs that only read."""

import ast
from collections.abc import Iterator

from tests.support.tree import Source, sources

#: Functions that send a POST, each with what it is for. A new one has to be argued for here.
READING_POSTS = {
    "syncer.sources.kognic.api": "queries that only read: /v2/inputs/query, /v1/inputs/fetch, /v1/inputs/query",
    "syncer.sources.kognic.auth": "trades client id and secret for a token: /v1/auth/oauth/token (RFC 6749 §4.4)",
    "syncer.sources.clarifai.api": "searches annotations, which only reads: …/annotations/searches",
    "syncer.sources.datature.exports": "starts the platform's own export job, which reads: …/datasetExports",
    "syncer.sources.label_studio.auth": "trades a personal access token for a short-lived one: /api/token/refresh/",
}

#: The one file that spells a changing method, and who may import it.
PUTTING = {
    "syncer.net.push": "the outcome of a pass, to the user's own Pushgateway (--push-metrics); no platform, no source",
}
PUSHERS = frozenset({"syncer.cli.pushed"})

#: Methods that change things.
CHANGING = frozenset({"PUT", "PATCH", "DELETE"})

#: Rooms that hold the way to a platform. The embedded platform of the demo is the other side.
ROOMS = ("syncer/app", "syncer/cli", "syncer/flow", "syncer/net", "syncer/ports", "syncer/schedule", "syncer/sources")


def _sources() -> Iterator[Source]:
    for room in ROOMS:
        yield from sources(room)


def _calls(source: Source) -> Iterator[ast.Call]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            yield node


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _methods(call: ast.Call) -> Iterator[ast.expr]:
    yield from (keyword.value for keyword in call.keywords if keyword.arg == "method")
    if _name(call) == "Request" and len(call.args) > 1:
        yield call.args[1]


def test_rule_17_no_changing_method_is_ever_spelt() -> None:
    """No room on the way to a platform contains the text PUT, PATCH or DELETE as a method, one listed file apart."""
    found = [
        f"{source.name}:{node.lineno}"
        for source in _sources()
        if source.module not in PUTTING
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Constant) and node.value in CHANGING
    ]
    assert not found


def test_rule_17_nobody_who_reads_from_a_platform_can_put() -> None:
    """What sends a PUT is imported by the listed commands alone."""
    importing = {
        source.module
        for source in sources("syncer")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and node.module in PUTTING
    }
    assert importing == PUSHERS


def test_rule_17_posts_are_listed_one_by_one() -> None:
    """A request's method is a literal, GET or POST, and each file that sends a POST is listed with its reason."""
    wrong: list[str] = []
    posting: set[str] = set()
    for source in _sources():
        if not source.name.startswith("syncer/sources"):
            continue
        for call in _calls(source):
            for method in _methods(call):
                if not isinstance(method, ast.Constant) or method.value not in {"GET", "POST"}:
                    wrong.append(f"{source.name}:{call.lineno}")
                elif method.value == "POST":
                    posting.add(source.module)
    assert not wrong
    assert posting == set(READING_POSTS)


def test_rule_17_no_session_is_used_beside_the_door() -> None:
    """Sources never call `post`, `put`, `patch` or `delete` on anything that could be an HTTP session."""
    found = [
        f"{source.name}:{call.lineno}"
        for source in _sources()
        if source.name.startswith(("syncer/sources", "syncer/net"))
        and not source.name.startswith("syncer/sources/memory")  # lives in this process and has nobody to send to
        for call in _calls(source)
        if isinstance(call.func, ast.Attribute) and call.func.attr in {"post", "put", "patch", "delete"}
    ]
    assert not found
