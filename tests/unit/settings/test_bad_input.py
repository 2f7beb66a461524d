"""Every way in which a configuration can be wrong, one fault at a time."""

from pathlib import Path

import pytest

from tests.support.configuration import GOOD, load_text, refused


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        # Unknown keys, everywhere.
        ("state:", "stat: 1\nstate:", "stat: unknown key; did you mean 'state'?"),
        (
            "state:",
            "zzz: 1\nstate:",
            "zzz: unknown key; known: daemon, fleet, jobs, log, ",
        ),
        ("state:", "log: {levl: debug}\nstate:", "log.levl: unknown key; did you mean 'level'?"),
        ("url: lake", "url: lake, pubish: x", "sinks.lake.pubish: unknown key; did you mean 'publish'?"),
        ("sinks: [lake]", "sinks: [lake]\n    selct: {}", "jobs.highway.selct: unknown key; did you mean 'select'?"),
        ("[highway]}", "[highway], batch: [x]}", "jobs.highway.select.batch: unknown key; did you mean 'batches'?"),
        (
            "sinks: [lake]",
            "sinks: [lake]\n    schedule: {evry: 30s}",
            "jobs.highway.schedule.evry: unknown key; did you mean 'every'?",
        ),
        (
            "sinks: [lake]",
            "sinks: [{lake: {pubish: x}}]",
            "jobs.highway.sinks.0.lake.pubish: unknown key; did you mean 'publish'?",
        ),
        (
            "sinks: [lake]",
            "sinks: [lake]\n    limits: {concurency: 1}",
            "jobs.highway.limits.concurency: unknown key; did you mean 'concurrency'?",
        ),
        (
            "sinks: [lake]",
            "sinks: [lake]\n    commit: {item: 1}",
            "jobs.highway.commit.item: unknown key; did you mean",
        ),
        # Wrong types and values.
        ("type: box, url: lake", "type: box", "sinks.lake.url: is required"),
        ("url: lake", "url: lake, every: soon", "sinks.lake.every: expected a whole number, got 'soon'"),
        ("url: lake", "url: lake, every: 1.5", "sinks.lake.every: expected a whole number, got 1.5"),
        ("url: lake", "url: null", "sinks.lake.url: expected text, got nothing"),
        ("url: lake", "url: true", "sinks.lake.url: expected text, got true"),
        ("url: lake", "url: lake, notes: [a]", "sinks.lake.notes: expected a mapping, got a list"),
        ("{type: box, url: lake}", "box", "sinks.lake: expected a mapping with a type"),
        ("type: box, url: lake", "url: lake", "sinks.lake.type: is required; known: box"),
        ("type: box, url: lake", "type: bax, url: lake", "sinks.lake.type: no sink type 'bax'; did you mean 'box'?"),
        ("type: studio", "type: clarifai", "platforms.studio.type: no platform type 'clarifai'; known: studio"),
        (
            "token: env:STUDIO_TOKEN",
            "token: [a]",
            "platforms.studio.token: expected text (a reference such as env:NAME)",
        ),
        (
            "token: env:STUDIO_TOKEN",
            "token: 1.5",
            "platforms.studio.token: expected text; put the credential in quotes",
        ),
        ("token: env:STUDIO_TOKEN", "token: 'env:'", "platforms.studio.token: 'env:' names nothing"),
        ("token: env:STUDIO_TOKEN", "token: 'keyring:x'", "platforms.studio.token: 'keyring:x' is not of the form"),
        (
            '"http://localhost:8080"',
            '"http://u:hunter2@localhost"',
            "platforms.studio.url: a URL never carries a user or password",
        ),
        (
            "token: env:STUDIO_TOKEN",
            "token: x, client_key: a",
            "platforms.studio: client_key needs client_cert",
        ),
        (
            "token: env:STUDIO_TOKEN",
            "token: x, limits: {concurrency: 0}",
            "platforms.studio.limits.concurrency: input should be greater than or equal to 1, got 0",
        ),
        ("url: lake", "url: lake, publish: x, every: 1", "sinks.lake: publish and every exclude each other"),
        (
            "sinks: [lake]",
            "sinks: [{lake: {publish: x, every: 1}}]",
            "jobs.highway.sinks.0.lake: publish and every exclude each other",
        ),
        (
            "sinks: [lake]",
            "sinks: [{lake: {type: other}}]",
            "jobs.highway.sinks.0.lake.type: can't be changed by a job",
        ),
        (
            "sqlite:state.db",
            "mysql://u:hunter2@h/db",
            "state: expected sqlite:PATH, postgresql://…, env:NAME or file:PATH, got mysql:…",
        ),
        (
            "sqlite:state.db",
            "state.db",
            "state: expected sqlite:PATH, postgresql://…, env:NAME or file:PATH, got no scheme",
        ),
        ("sqlite:state.db", "'sqlite: '", "state: expected sqlite:PATH"),
        (
            "state:",
            "memory: 12 parsecs\nstate:",
            "memory: expected a size such as 512KiB, 256MB or 2GiB, got '12 parsecs'",
        ),
        ("state:", "memory: 1kB\nstate:", "memory: input should be greater than or equal to 1048576"),
        (
            "state:",
            "log: {level: loud}\nstate:",
            "log.level: expected 'debug', 'info', 'warning' or 'error', got 'loud'",
        ),
        ("state:", "log: debug\nstate:", "log: expected a mapping, got 'debug'"),
        # Sections and names.
        ("jobs:\n  highway:", "jobs:\n  'high way':", "jobs.high way: not a name"),
        ("  lake: {", "  'a.b': {type: box, url: x}\n  lake: {", "sinks.a.b: not a name"),
        ("  studio: {", "  '': {type: studio}\n  studio: {", "platforms.: not a name"),
        (
            "    sinks: [lake]",
            "    sinks: [lake]\n  Highway: {platform: studio, select: {projects: [x]}, sinks: [lake]}",
            "jobs: 2 jobs are called 'highway' but for upper and lower case",
        ),
        (
            "    sinks: [lake]",
            "    sinks: [lake]\n  more: 5",
            "jobs.more: expected a mapping with platform, select and sinks",
        ),
        # References.
        ("platform: studio", "platform: studo", "jobs.highway.platform: no platform 'studo'; did you mean 'studio'?"),
        ("platform: studio", "platform: zz", "jobs.highway.platform: no platform 'zz'; known: studio"),
        ("sinks: [lake]", "sinks: [laek]", "jobs.highway.sinks.0: no sink 'laek'; did you mean 'lake'?"),
        ("sinks: [lake]", "sinks: [{zz: {}}]", "jobs.highway.sinks.0: no sink 'zz'; known: lake, street"),
        ("sinks: [lake]", "sinks: [lake, {lake: {every: 1}}]", "jobs.highway.sinks.1: sink 'lake' stands twice"),
        ("sinks: [lake]", "sinks: []", "jobs.highway.sinks: is empty"),
        ("sinks: [lake]", "sinks: lake", "jobs.highway.sinks: expected a list, got 'lake'"),
        ("sinks: [lake]", "sinks: [5]", "jobs.highway.sinks.0: expected the name of a sink"),
        ("sinks: [lake]", "sinks: [{lake: {}, street: {}}]", "jobs.highway.sinks.0: expected the name of a sink"),
        ("sinks: [lake]", "sinks: [{lake: 5}]", "jobs.highway.sinks.0: expected the name of a sink"),
        (
            "sinks: [lake]",
            "sinks: [lake]\n    schedule: {after: hihgway}",
            "jobs.highway.schedule.after: no job 'hihgway'; did you mean 'highway'?",
        ),
        (
            "sinks: [lake]",
            "sinks: [lake]\n    schedule: {after: highway}",
            "jobs.highway.schedule.after: jobs wait for each other: highway after highway",
        ),
        # Selections.
        ("select: {projects: [highway]}", "select: {}", "jobs.highway.select: names nothing"),
        ("select: {projects: [highway]}", "select: {projects: []}", "jobs.highway.select: names nothing"),
        ("select: {projects: [highway]}", "select: {batches: ['*']}", "jobs.highway.select: names nothing"),
        ("    select: {projects: [highway]}\n", "", "jobs.highway.select: is required"),
        ("select: {projects: [highway]}", "select: null", "jobs.highway.select: expected a mapping, got nothing"),
        ("[highway]", "[1.10]", "jobs.highway.select.projects.0: expected text, got 1.1; put it in quotes"),
        ("[highway]", "[[a]]", "jobs.highway.select.projects.0: expected text, got a list"),
        (
            "[highway]}",
            "[highway], since: yesterday}",
            "jobs.highway.select.since: expected a date or time such as 2026-01-31",
        ),
        (
            "[highway]}",
            "[highway], since: 2026-02-01, until: 2026-01-01}",
            "jobs.highway.select: since is not before until",
        ),
    ],
)
def test_bad_input_is_named_by_its_dotted_path(tmp_path: Path, old: str, new: str, problem: str) -> None:
    """Each fault alone gives one line: dotted path, what is wrong, what is expected."""
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    lines = refused(tmp_path, text)
    assert len(lines) == 1
    assert lines[0].startswith(problem)
    assert "hunter2" not in lines[0]


@pytest.mark.parametrize(("section", "value"), [("platforms", "[]"), ("sinks", "5"), ("jobs", "x")])
def test_a_section_that_is_no_mapping(tmp_path: Path, section: str, value: str) -> None:
    """A section of a wrong type is one problem."""
    assert refused(tmp_path, f"{section}: {value}") == [f"{section}: expected a mapping of names (syncer.yaml, line 1)"]


def test_empty_sections_are_fine(tmp_path: Path) -> None:
    """A section without entries is as good as none."""
    settings = load_text(tmp_path, "platforms:\nsinks: {}\njobs: null\n")
    assert (settings.platforms, settings.sinks, settings.jobs) == ({}, {}, {})


def test_jobs_may_not_wait_in_a_circle(tmp_path: Path) -> None:
    """A circle of `after` is refused at each of its jobs; a chain is fine."""
    job = "  {0}: {{platform: studio, select: {{projects: [x]}}, sinks: [lake], schedule: {{after: {1}}}}}\n"
    head = GOOD.partition("jobs:")[0] + "jobs:\n"
    lines = refused(tmp_path, head + job.format("a", "b") + job.format("b", "c") + job.format("c", "a"))
    assert [line.partition(" (")[0] for line in lines] == [
        "jobs.a.schedule.after: jobs wait for each other: a after b after c after a",
        "jobs.b.schedule.after: jobs wait for each other: b after c after a after b",
        "jobs.c.schedule.after: jobs wait for each other: c after a after b after c",
    ]
    load_text(tmp_path, GOOD + job.format("a", "highway") + job.format("b", "a"))
