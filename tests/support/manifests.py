"""Kubernetes manifests as a cluster would get them: kustomizations built by kubectl."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.programs import said
from tests.support.tree import ROOT

#: Our bases and overlays.
KUBERNETES = ROOT / "config" / "kubernetes"

#: The overlays, and the kind of workload that each has.
WORKLOADS = {"job": "Job", "cronjob": "CronJob", "daemon": "Deployment"}

#: The same with the one whose state and data lie elsewhere from the beginning.
ALL = {**WORKLOADS, "fleet": "Deployment"}

#: What KEDA brings to a cluster; no validator of ours knows it.
KEDA = {"ScaledObject", "TriggerAuthentication"}


@cache
def built(folder: Path) -> Sequence[Mapping[str, Any]]:
    """Return the documents that `kubectl apply -k` would send."""
    return list(yaml.safe_load_all(said("kubectl", "kustomize", folder)))


def only(documents: Sequence[Mapping[str, Any]], kind: str) -> Mapping[str, Any]:
    """Return the one document of a kind."""
    (found,) = [each for each in documents if each["kind"] == kind]
    return found


def job_of(documents: Sequence[Mapping[str, Any]], kind: str) -> Mapping[str, Any]:
    """Return the specification of the Job, also where a CronJob makes it."""
    spec = only(documents, kind)["spec"]
    job: Mapping[str, Any] = spec["jobTemplate"]["spec"] if kind == "CronJob" else spec
    return job


def pod_of(documents: Sequence[Mapping[str, Any]], kind: str) -> Mapping[str, Any]:
    """Return the template of the pods of a workload: labels and specification."""
    template: Mapping[str, Any] = job_of(documents, kind)["template"]
    return template


def container_of(documents: Sequence[Mapping[str, Any]], kind: str) -> Mapping[str, Any]:
    """Return the one container of a workload."""
    found: Mapping[str, Any]
    (found,) = pod_of(documents, kind)["spec"]["containers"]
    return found
