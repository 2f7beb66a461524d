"""Alert rules and the dashboard: expressions that Prometheus accepts, on metrics and labels that exist."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from syncer.model.errors import Exit
from tests.support.metrics import names, series
from tests.support.programs import said
from tests.support.tree import ROOT

ALERTS = ROOT / "config" / "prometheus" / "alerts.yaml"
CASES = ROOT / "tests" / "deployment" / "alerts.test.yaml"
DASHBOARD = ROOT / "config" / "grafana" / "syncer.json"

#: What Grafana fills in before Prometheus sees an expression.
FILLED = {"$__rate_interval": "5m", "$sync_job": ".*", "$platform": ".*"}


@cache
def _rules() -> Sequence[Mapping[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


@cache
def _dashboard() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    return found


def _targets() -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    for panel in _dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield panel, target


def _names(expression: str) -> set[str]:
    return set(re.findall(r"\bsyncer_\w+", expression))


def _labels(expression: str) -> set[str]:
    """Return the labels that an expression picks or groups by."""
    picked = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expression)
    grouped = re.findall(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)", expression)
    return {*picked, *(word for group in grouped for word in re.findall(r"\w+", group))}


def _known(expression: str) -> set[str]:
    """Return the labels of the metrics of an expression, all of which have to exist."""
    names = _names(expression)
    assert names
    assert names <= series().keys(), expression
    return {label for name in names for label in series()[name]}


def test_alerts_are_rules_that_prometheus_loads() -> None:
    """Prometheus accepts the file, and counts as many rules as there are."""
    assert f"SUCCESS: {len(_rules())} rules found" in said("promtool", "check", "rules", ALERTS)


def test_alerts_speak_when_they_should() -> None:
    """On series made for it, each alert fires where it has to, with these words, and is silent where all is well."""
    assert "SUCCESS" in said("promtool", "test", "rules", CASES)
    cases = yaml.safe_load(CASES.read_text("utf-8"))["tests"]
    fired = {test["alertname"] for case in cases for test in case["alert_rule_test"] if test["exp_alerts"]}
    silent = {test["alertname"] for test in cases[0]["alert_rule_test"]}
    assert fired == silent == {rule["alert"] for rule in _rules()}


def test_the_check_of_alerts_finds_mistakes(tmp_path: Path) -> None:
    """With a limit ten times as high, the alert that should fire does not, and promtool says so."""
    rules = ALERTS.read_text("utf-8")
    assert "> 6 * 3600" in rules
    (tmp_path / "alerts.yaml").write_text(rules.replace("> 6 * 3600", "> 60 * 3600"), "utf-8")
    cases = CASES.read_text("utf-8").replace("../../config/prometheus/alerts.yaml", "alerts.yaml")
    (tmp_path / "cases.yaml").write_text(cases, "utf-8")
    with pytest.raises(AssertionError, match="SyncerNotFresh"):
        said("promtool", "test", "rules", tmp_path / "cases.yaml")


def test_alerts_use_what_exists() -> None:
    """Metrics, labels and exit codes of the rules are the tool's; each has a severity and a summary of its own."""
    for rule in _rules():
        known = _known(rule["expr"])
        assert _labels(rule["expr"]) <= known, rule["alert"]
        shown = {word for text in rule["annotations"].values() for word in re.findall(r"\$labels\.(\w+)", text)}
        assert shown <= known, rule["alert"]
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        codes = {int(code) for code in re.findall(r"exit_code == (\d+)", rule["expr"])}
        assert codes <= set(Exit)
    failed = next(rule for rule in _rules() if rule["alert"] == "SyncerRunFailed")
    human = {Exit.BUG, Exit.USAGE, Exit.DAMAGE, Exit.PERMISSION, Exit.SETTINGS}
    assert {int(code) for code in re.findall(r"exit_code == (\d+)", failed["expr"])} == human


def test_expressions_of_the_dashboard_are_valid(tmp_path: Path) -> None:
    """Prometheus parses each expression once Grafana's variables are filled in, and none is left."""
    rules = []
    for number, (_, target) in enumerate(_targets()):
        expression = target["expr"]
        for name, value in FILLED.items():
            expression = expression.replace(name, value)
        assert "$" not in expression
        rules.append({"record": f"panel:{number}", "expr": expression})
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), "utf-8")
    assert f"SUCCESS: {len(rules)} rules found" in said("promtool", "check", "rules", file)


def test_the_dashboard_uses_what_exists() -> None:
    """Metrics and labels are the tool's, what a legend shows is left by its expression, and counters are rated."""
    for panel, target in _targets():
        expression = target["expr"]
        known = _known(expression)
        assert _labels(expression) <= known, panel["title"]
        shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        grouped = re.search(r"\bby \(([^)]*)\)", expression)
        left = set(re.findall(r"\w+", grouped[1])) if grouped else known
        assert shown <= left, panel["title"]
        for name in _names(expression):
            rated = re.search(rf"\b(?:rate|increase)\({name}\b", expression) is not None
            assert rated == (name not in names("gauge")), panel["title"]


def test_the_dashboard_shows_every_metric() -> None:
    """Each metric of the daemon stands in a panel; more about a single last run is for those who read its file."""
    used = {name for _, target in _targets() for name in _names(target["expr"])}
    every = names("counter") | names("gauge") | names("histogram")
    assert {name for name in every - used if not name.startswith("syncer_last_run_")} == set()


def test_the_dashboard_is_well_formed() -> None:
    """Panels have ids and descriptions of their own and do not overlap; the data source is whichever one chooses."""
    panels = [panel for panel in _dashboard()["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in _dashboard()["panels"]}) == len(_dashboard()["panels"])
    assert len({panel["title"] for panel in panels}) == len({panel["description"] for panel in panels}) == len(panels)
    for panel in panels:
        assert {panel["datasource"]["uid"], *(each["datasource"]["uid"] for each in panel["targets"])} == {
            "${datasource}"
        }
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    for one, other in combinations([panel["gridPos"] for panel in _dashboard()["panels"]], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below
    variables = {each["name"]: each for each in _dashboard()["templating"]["list"]}
    assert variables.keys() == {"datasource", *(name.removeprefix("$") for name in FILLED if "__" not in name)}
    for each in variables.values():
        if each["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", each["definition"]).groups()
            assert label == each["name"]
            assert label in series()[metric]


def test_the_dashboard_knows_the_exit_codes() -> None:
    """Every exit code has a word and a colour."""
    panel = next(panel for panel in _dashboard()["panels"] if panel["title"] == "Last run")
    (mapping,) = panel["fieldConfig"]["defaults"]["mappings"]
    assert {int(code) for code in mapping["options"]} == set(Exit)
