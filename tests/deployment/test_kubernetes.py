"""The overlays of `config/kubernetes`, as kubectl builds them: valid, safe, and in step with the tool."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

import syncer
from syncer.app.registry import built_in
from syncer.model.errors import Exit
from syncer.settings.daemon import DaemonOptions, OpsOptions
from tests.support.commands import parsed
from tests.support.dockerfile import stages
from tests.support.manifests import ALL, KEDA, KUBERNETES, WORKLOADS, built, container_of, job_of, only, pod_of
from tests.support.tree import ROOT

#: The oldest release that has everything that we use as a matter of course, and the newest that is known here.
RELEASES = ("1.29", "1.37")

#: Volumes that the restricted profile of pods admits, as far as we use them.
ADMITTED = {"configMap", "secret", "persistentVolumeClaim", "emptyDir"}

SETTINGS = KUBERNETES / "base" / "syncer.yaml"

overlays = pytest.mark.parametrize("name", WORKLOADS)
everywhere = pytest.mark.parametrize("name", ALL)


def _vendored(folder: Path, own: Mapping[str, Any]) -> None:
    """Lay a copy of ours below a kustomization, as whoever changes something would: it points to nothing beside it."""
    shutil.copytree(KUBERNETES, folder / "kubernetes")
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(dict(own)), "utf-8")


@everywhere
@pytest.mark.parametrize("release", RELEASES)
def test_manifests_are_valid(name: str, release: str) -> None:
    """Every document of an overlay passes the strict schema of its kind: no unknown key, no wrong type."""
    documents = built(KUBERNETES / name)
    for document in documents:
        if document["kind"] not in KEDA:
            kubernetes_validate.validate(document, release, strict=True)
    kinds = {each["kind"] for each in documents}
    shared = {"Namespace", "ServiceAccount", "ConfigMap", "NetworkPolicy"}
    own = {"daemon": {"Service", "PodDisruptionBudget", "PersistentVolumeClaim"}, "fleet": {"Service", *KEDA}}
    assert kinds == {*shared, ALL[name], *own.get(name, {"PersistentVolumeClaim"})}


def test_the_check_of_manifests_finds_mistakes() -> None:
    """A misspelt key of a container is refused: the schemas are looked at, deep inside."""
    documents = built(KUBERNETES / "daemon")
    deployment = yaml.safe_load(yaml.safe_dump(only(documents, "Deployment")))
    deployment["spec"]["template"]["spec"]["containers"][0]["livenessprobe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, RELEASES[0], strict=True)


def test_every_file_is_part_of_something() -> None:
    """Each manifest is named by the kustomization of its folder."""
    for folder in KUBERNETES.iterdir():
        said = yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))
        named = {*said.get("resources", ()), *(each["path"] for each in said.get("patches", ()))}
        generated = {file for each in said.get("configMapGenerator", ()) for file in each["files"]}
        here = {path.name for path in folder.iterdir()}
        assert named - {"../base"} | generated | {"kustomization.yaml"} == here


@everywhere
def test_pods_pass_the_restricted_profile(name: str) -> None:
    """What the restricted profile asks of a pod holds, the root can't be written to, and no token is mounted."""
    documents = built(KUBERNETES / name)
    spec = pod_of(documents, ALL[name])["spec"]
    container = container_of(documents, ALL[name])
    assert only(documents, "Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys()
    assert not any("hostPort" in port for port in container.get("ports", ()))
    assert {kind for volume in spec["volumes"] for kind in volume.keys() - {"name"}} <= ADMITTED
    assert spec["automountServiceAccountToken"] is False
    assert spec["serviceAccountName"] == only(documents, "ServiceAccount")["metadata"]["name"]
    assert container["resources"]["limits"].keys() >= {"memory"}


@everywhere
def test_pods_are_the_image(name: str) -> None:
    """The image is this release; user and group are the image's, so that what it owns can be written."""
    documents = built(KUBERNETES / name)
    security = pod_of(documents, ALL[name])["spec"]["securityContext"]
    user = stages(ROOT / "Dockerfile")[-1].last("USER").rest
    assert f"{security['runAsUser']}:{security['runAsGroup']}" == user
    assert container_of(documents, ALL[name])["image"] == f"annotation-syncer:{syncer.__version__}"


@overlays
def test_pods_find_what_the_settings_name(name: str, tmp_path: Path) -> None:
    """The settings load; state, destinations and secrets lie on volumes, and each volume is there and mounted."""
    documents = built(KUBERNETES / name)
    spec = pod_of(documents, WORKLOADS[name])["spec"]
    container = container_of(documents, WORKLOADS[name])
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    volumes = {each["name"]: each for each in spec["volumes"]}
    assert mounts.keys() == volumes.keys()
    claims = {each["metadata"]["name"] for each in documents if each["kind"] == "PersistentVolumeClaim"}
    assert {v["persistentVolumeClaim"]["claimName"] for v in volumes.values() if "persistentVolumeClaim" in v} == claims
    config = only(documents, "ConfigMap")
    assert volumes["settings"]["configMap"]["name"] == config["metadata"]["name"]
    ((file_name, text),) = config["data"].items()
    assert f"{mounts['settings']}/{file_name}" == container["args"][container["args"].index("--config") + 1]
    file = tmp_path / file_name
    file.write_text(text, "utf-8")
    settings = built_in().settings(file, environ={})
    assert settings.state == f"sqlite:{mounts['state']}/state.db"
    assert settings.spool is None
    roots = [sink.options.model_dump()["url"].removeprefix("file:") for sink in settings.sinks.values()]
    assert all(Path(root).is_relative_to(mounts["data"]) for root in roots)
    secrets = [secret.source for platform in settings.platforms.values() for secret in platform.secrets()]
    assert secrets
    assert all(source.startswith(f"file:{mounts['secrets']}/") for source in secrets)
    told = parsed(["syncer", *container["args"]])
    assert set(told.get("jobs", ())) <= settings.jobs.keys()


@pytest.mark.parametrize(
    ("name", "ignored", "counted"),
    [("job", {Exit.NOT_NOW, Exit.STOPPED}, set[int]()), ("cronjob", set[int](), {Exit.NOT_NOW})],
)
def test_rule_21_kubernetes_knows_the_exit_codes(name: str, ignored: set[int], counted: set[int]) -> None:
    """Every exit code but 0 stands in one rule; only what another attempt can heal is tried again."""
    job = job_of(built(KUBERNETES / name), WORKLOADS[name])
    rules = [rule for rule in job["podFailurePolicy"]["rules"] if "onExitCodes" in rule]
    decided = {code: rule["action"] for rule in rules for code in rule["onExitCodes"]["values"]}
    assert sum(len(rule["onExitCodes"]["values"]) for rule in rules) == len(decided)
    assert decided.keys() == set(Exit) - {Exit.DONE}
    assert {code for code, action in decided.items() if action == "Ignore"} == ignored
    assert {code for code, action in decided.items() if action == "Count"} == counted
    assert {rule["onExitCodes"]["containerName"] for rule in rules} == {"syncer"}
    # A pod that was evicted counts for nothing, and that is asked first: its exit code is the drained one's.
    assert job["podFailurePolicy"]["rules"][0] == {
        "action": "Ignore",
        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
    }
    # Kubernetes refuses the policy with any other.
    assert job["template"]["spec"]["restartPolicy"] == "Never"


def test_passes_do_not_overlap() -> None:
    """A CronJob starts no second pass beside a first, nor the daemon a second of itself; the state is one pod's."""
    assert only(built(KUBERNETES / "cronjob"), "CronJob")["spec"]["concurrencyPolicy"] == "Forbid"
    deployment = only(built(KUBERNETES / "daemon"), "Deployment")["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    for name in WORKLOADS:
        claims = [each for each in built(KUBERNETES / name) if each["kind"] == "PersistentVolumeClaim"]
        modes = {each["metadata"]["name"]: each["spec"]["accessModes"] for each in claims}
        assert modes["syncer-state"] == ["ReadWriteOncePod"]


@everywhere
def test_pods_are_given_the_time_to_stop(name: str) -> None:
    """Kubernetes waits longer before it kills than the tool takes to drain."""
    spec = pod_of(built(KUBERNETES / name), ALL[name])["spec"]
    assert spec["terminationGracePeriodSeconds"] >= 2 * DaemonOptions().grace


def test_the_daemon_is_asked_where_it_answers() -> None:
    """Probes ask the ops listener, a start may take minutes, and being dead takes longer to find than a pause."""
    documents = built(KUBERNETES / "daemon")
    container = container_of(documents, "Deployment")
    assert container["ports"] == [{"name": "ops", "containerPort": OpsOptions().port}]
    probes = {kind: container[f"{kind}Probe"] for kind in ("startup", "liveness", "readiness")}
    assert {kind: probe["httpGet"] for kind, probe in probes.items()} == {
        "startup": {"path": "/startupz", "port": "ops"},
        "liveness": {"path": "/livez", "port": "ops"},
        "readiness": {"path": "/readyz", "port": "ops"},
    }
    assert probes["startup"]["periodSeconds"] * probes["startup"]["failureThreshold"] >= 300
    assert probes["liveness"]["periodSeconds"] * probes["liveness"]["failureThreshold"] >= 60


def test_services_and_policies_mean_the_daemon() -> None:
    """Deployment, Service and budget select the daemon's pods, the policy all of ours, and its port is let in."""
    documents = built(KUBERNETES / "daemon")
    labels = pod_of(documents, "Deployment")["metadata"]["labels"]

    def chosen(selector: Mapping[str, str]) -> bool:
        return selector.items() <= labels.items() and len(selector) > 0

    service = only(documents, "Service")["spec"]
    assert chosen(only(documents, "Deployment")["spec"]["selector"]["matchLabels"])
    assert chosen(service["selector"])
    assert chosen(only(documents, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"])
    policy = only(documents, "NetworkPolicy")["spec"]
    assert chosen(policy["podSelector"]["matchLabels"])
    assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} == {service["ports"][0]["targetPort"]}
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    for name in ("job", "cronjob"):
        pods = pod_of(built(KUBERNETES / name), WORKLOADS[name])["metadata"]["labels"]
        assert not service["selector"].items() <= pods.items()


def test_a_node_can_be_drained() -> None:
    """The budget lets the one pod of the daemon go: it never blocks who looks after nodes."""
    budget = only(built(KUBERNETES / "daemon"), "PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] >= 1
    assert "minAvailable" not in budget


@overlays
def test_a_state_in_a_database(name: str, tmp_path: Path) -> None:
    """With the component for PostgreSQL no disk for the state is left, its URL is a secret, and its port is open."""
    _vendored(tmp_path, {"resources": [f"kubernetes/{name}"], "components": ["kubernetes/postgres"]})
    documents = built(tmp_path)
    for document in documents:
        kubernetes_validate.validate(document, RELEASES[-1], strict=True)
    spec = pod_of(documents, WORKLOADS[name])["spec"]
    container = container_of(documents, WORKLOADS[name])
    assert {volume["name"] for volume in spec["volumes"]} == {"settings", "secrets", "data", "tmp"}
    assert {each["name"] for each in container["volumeMounts"]} == {volume["name"] for volume in spec["volumes"]}
    assert only(documents, "PersistentVolumeClaim")["metadata"]["name"] == "syncer-data"
    ports = [port for rule in only(documents, "NetworkPolicy")["spec"]["egress"] for port in rule["ports"]]
    assert {"protocol": "TCP", "port": 5432} in ports
    secret = tmp_path / "state"
    secret.write_text("postgresql://syncer@db.example.com/syncer\n", "utf-8")
    (variable,) = container["env"]
    assert variable == {"name": "SYNCER__STATE", "value": "file:/run/secrets/syncer/state"}
    settings = built_in().settings(SETTINGS, environ={variable["name"]: f"file:{secret}"})
    assert settings.state == f"file:{secret}"


def test_an_overlay_of_ones_own(tmp_path: Path) -> None:
    """Image, settings and monitoring are changed from outside: no file of ours has to be edited."""
    own: dict[str, Any] = {
        "resources": ["kubernetes/daemon"],
        "components": ["kubernetes/monitoring"],
        "images": [{"name": "annotation-syncer", "newName": "registry.example.com/syncer", "newTag": "9"}],
        "configMapGenerator": [
            {"name": "syncer", "namespace": "syncer", "behavior": "replace", "files": ["syncer.yaml"]}
        ],
    }
    (tmp_path / "syncer.yaml").write_text("state: memory\n", "utf-8")
    _vendored(tmp_path, own)
    documents = built(tmp_path)
    assert container_of(documents, "Deployment")["image"] == "registry.example.com/syncer:9"
    config = only(documents, "ConfigMap")
    assert config["data"] == {"syncer.yaml": "state: memory\n"}
    assert config["metadata"]["name"] != only(built(KUBERNETES / "daemon"), "ConfigMap")["metadata"]["name"]
    volumes = pod_of(documents, "Deployment")["spec"]["volumes"]
    assert {"name": "settings", "configMap": {"name": config["metadata"]["name"]}} in volumes
    monitor, service = only(documents, "ServiceMonitor"), only(documents, "Service")
    assert monitor["metadata"]["namespace"] == service["metadata"]["namespace"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    assert endpoint["path"] == "/metrics"
