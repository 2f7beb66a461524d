"""The overlay of a fleet: workers, and the rule by which KEDA adds and takes them, on the tables as they are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import psycopg
import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from syncer.app.registry import built_in
from syncer.fleet.store import refuse_alone
from syncer.settings import Settings
from syncer.settings.daemon import OpsOptions
from syncer.state.postgres.store import migrate
from tests.support.commands import parsed
from tests.support.manifests import KUBERNETES, built, container_of, only, pod_of
from tests.support.postgres import Postgres

OVERLAY = KUBERNETES / "fleet"


class _Strict(BaseModel):
    """A piece of KEDA's resources, as far as we use them: required is required, and unknown is a mistake."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class _Name(_Strict):
    name: Annotated[str, Field(min_length=1)]


class _Query(_Strict):
    # KEDA wants text for numbers, too.
    query: str
    target_query_value: Annotated[str, Field(pattern=r"^[1-9]\d*$")]


class _Trigger(_Strict):
    type: Literal["postgresql"]
    metric_type: Literal["AverageValue", "Value"]
    authentication_ref: _Name
    metadata: _Query


class _Window(_Strict):
    stabilization_window_seconds: Annotated[int, Field(ge=0, le=3600)]


class _Behavior(_Strict):
    scale_down: _Window


class _Autoscaler(_Strict):
    behavior: _Behavior


class _Advanced(_Strict):
    horizontal_pod_autoscaler_config: _Autoscaler


class _Scaled(_Strict):
    scale_target_ref: _Name
    min_replica_count: Annotated[int, Field(ge=0)]
    max_replica_count: Annotated[int, Field(ge=1)]
    polling_interval: Annotated[int, Field(ge=1)]
    advanced: _Advanced
    triggers: list[_Trigger]


class _Secret(_Strict):
    parameter: Literal["connection"]
    name: str
    key: str


class _Authentication(_Strict):
    secret_target_ref: list[_Secret]


def scaled() -> _Scaled:
    """Return the rule, checked."""
    found = only(built(OVERLAY), "ScaledObject")
    assert found["apiVersion"] == "keda.sh/v1alpha1"
    return _Scaled.model_validate(found["spec"])


def settings(folder: Path) -> Settings:
    """Return the configuration that workers get."""
    ((name, text),) = only(built(OVERLAY), "ConfigMap")["data"].items()
    (folder / name).write_text(text, "utf-8")
    return built_in().settings(folder / name, environ={})


@pytest.fixture
def fleet(postgres_server: Postgres) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Yield a connection to the tables of a fleet, empty, and forget what was changed."""
    with postgres_server.schema() as schema:
        migrate(postgres_server.url(schema))
        with postgres_server.connect(schema) as connection:
            yield connection


def counted(connection: psycopg.Connection[tuple[object, ...]]) -> int:
    """Return what the query of the rule counts; the schema of a test has another name than that of an installation."""
    query = scaled().triggers[0].metadata.query
    assert query.count("syncer.") == 3
    ((schema,),) = connection.execute("SELECT current_schema()")
    ((number,),) = connection.execute(query.replace("syncer.", f"{schema}.").encode())
    assert isinstance(number, int)
    return number


def test_the_rule_means_the_workers_and_their_state() -> None:
    """The scaled thing is our Deployment, which says no number itself; KEDA gets the URL that the workers read."""
    documents = built(OVERLAY)
    deployment = only(documents, "Deployment")
    rule = scaled()
    assert rule.scale_target_ref.name == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"]
    authentication = only(documents, "TriggerAuthentication")
    assert rule.triggers[0].authentication_ref.name == authentication["metadata"]["name"]
    assert authentication["apiVersion"] == "keda.sh/v1alpha1"
    (secret,) = _Authentication.model_validate(authentication["spec"]).secret_target_ref
    (volume,) = [each["secret"] for each in pod_of(documents, "Deployment")["spec"]["volumes"] if "secret" in each]
    assert secret.name == volume["secretName"]
    mounts = {each["name"]: each["mountPath"] for each in container_of(documents, "Deployment")["volumeMounts"]}
    configured = yaml.safe_load(only(documents, "ConfigMap")["data"]["syncer.yaml"])
    assert configured["state"] == f"file:{mounts['secrets']}/{secret.key}"


def test_the_check_of_the_rule_finds_mistakes() -> None:
    """A misspelt key and a number that is no text are refused."""
    spec = yaml.safe_load(yaml.safe_dump(only(built(OVERLAY), "ScaledObject")["spec"]))
    for wrong in ({**spec, "maxReplicas": 3}, {key: spec[key] for key in spec if key != "triggers"}):
        with pytest.raises(ValueError, match=r"maxReplicas|triggers"):
            _Scaled.model_validate(wrong)
    spec["triggers"][0]["metadata"]["targetQueryValue"] = 4
    with pytest.raises(ValueError, match="targetQueryValue"):
        _Scaled.model_validate(spec)


def test_a_worker_is_added_for_as_much_as_one_works_on(tmp_path: Path) -> None:
    """The target is `fleet.concurrency`; at least one worker stays, for nobody else takes the turns of schedules."""
    rule, options = scaled(), settings(tmp_path).fleet
    assert int(rule.triggers[0].metadata.target_query_value) == options.concurrency
    assert rule.triggers[0].metric_type == "AverageValue"
    assert 1 <= rule.min_replica_count < rule.max_replica_count


def test_the_settings_are_fit_for_a_fleet(tmp_path: Path) -> None:
    """They load, no destination is for one machine only, and each job has a schedule, as nothing else submits it."""
    known = settings(tmp_path)
    refuse_alone(known)
    urls = [str(sink.options.model_dump()["url"]) for sink in known.sinks.values()]
    assert all("://" in url for url in urls)
    assert all(job.options.schedule is not None for job in known.jobs.values())


def test_the_pods_are_workers() -> None:
    """They run `syncer worker`, start again after any end, keep nothing on a disk, and answer where they are asked."""
    documents = built(OVERLAY)
    spec, container = pod_of(documents, "Deployment")["spec"], container_of(documents, "Deployment")
    assert container["args"][0] == "worker"
    assert parsed(["syncer", *container["args"]])
    assert spec["restartPolicy"] == "Always"
    assert {each["name"] for each in spec["volumes"]} == {each["name"] for each in container["volumeMounts"]}
    assert not [each for each in spec["volumes"] if "persistentVolumeClaim" in each]
    assert container["ports"] == [{"name": "ops", "containerPort": OpsOptions().port}]
    asked = {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    assert asked == {"/startupz", "/livez", "/readyz"}
    labels = pod_of(documents, "Deployment")["metadata"]["labels"]
    for selector in (
        only(documents, "Deployment")["spec"]["selector"]["matchLabels"],
        only(documents, "Service")["spec"]["selector"],
    ):
        assert selector.items() <= labels.items()
        assert "app.kubernetes.io/component" in selector
    ports = [port for rule in only(documents, "NetworkPolicy")["spec"]["egress"] for port in rule["ports"]]
    assert {"protocol": "TCP", "port": 5432} in ports


def test_the_rule_counts_what_there_is_to_do(fleet: psycopg.Connection[tuple[object, ...]]) -> None:
    """Units that wait or are at work, and runs that are planned or ended; not what is done, paused or stopped."""
    assert counted(fleet) == 0
    runs = [
        (1, "working", "running", False, None), (2, "paused", "running", True, None),
        (3, "stopped", "running", False, "cancelled"), (4, "new", "planning", False, None),
        (5, "last", "finalising", False, None), (6, "over", "ended", False, None),
    ]  # fmt: skip
    for number, job, state, paused, stop in runs:
        fleet.execute(
            "INSERT INTO fleet_runs (id, job, run, state, paused, stop, config, options, why, queue)"
            " VALUES (%s, %s, %s, %s, %s, %s, 'c', '{}', 'command', 'default')",
            (number, job, job, state, paused, stop),
        )
    for number in (1, 2, 3, 6):
        for unit, state in enumerate(("waiting", "queued", "running", "done")):
            fleet.execute(
                "INSERT INTO fleet_units (run, number, name, partitions, state) VALUES (%s, %s, %s, '[]', %s)",
                (number, unit, f"p{unit}", state),
            )
    # Three of the run at work, those at work of the paused and the stopped one, a plan and an end.
    assert counted(fleet) == 3 + 1 + 1 + 2
