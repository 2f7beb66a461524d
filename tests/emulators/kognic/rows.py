"""Rows as the API writes them, some with fields that the vendor's models do not know: clients pass over these."""

from typing import Any

from tests.emulators.kognic.answers import stamp
from tests.emulators.kognic.world import Batch, Input, Project, Request, Scene


def project(row: Project) -> dict[str, Any]:
    """Return a project of `/v1/projects`."""
    return {
        "created": stamp(row.created),
        "title": row.title,
        "description": f"About {row.title}",
        "status": row.status,
        "project": row.name,
        "tags": [],
    }


def batch(row: Batch) -> dict[str, Any]:
    """Return a batch of a project."""
    return {
        "project": row.project.name,
        "batch": row.name,
        "title": row.title,
        "status": row.status,
        "created": stamp(row.created),
        "updated": stamp(row.updated),
    }


def scene(row: Scene) -> dict[str, Any]:
    """Return a scene of `/v2/scenes/query`."""
    return {
        "uuid": row.uuid,
        "workspaceId": "workspace-1",
        "externalId": row.external_id,
        "sceneType": row.type,
        "status": row.status,
        "created": stamp(row.created),
        "calibrationId": None,
        "viewLink": f"https://app.kognic.com/view/scene/{row.uuid}",
        "errorMessage": None,
    }


def summary(row: Scene) -> dict[str, Any]:
    """Return a scene of `/v2/scenes/{uuid}`."""
    return {
        "sceneUuid": row.uuid,
        "externalId": row.external_id,
        "workspaceId": "workspace-1",
        "created": stamp(row.created),
        "calibrationId": None,
        "frameRelativeTimes": [0],
        "lidars": [],
        "cameras": ["CAM"],
        "sceneType": row.type,
        "isMultiSensor": False,
        "isMotionCompensated": False,
        "metadata": {},
    }


def input_row(row: Input) -> dict[str, Any]:
    """Return an input of `/v2/inputs/query`."""
    return {
        "uuid": row.uuid,
        "sceneUuid": row.scene.uuid,
        "requestUid": row.request.uid,
        "sceneExternalId": row.scene.external_id,
        "viewLink": f"https://app.kognic.com/view/input/{row.uuid}",
    }


def entry(row: Input, types: list[str]) -> dict[str, Any]:
    """Return an entry of `/v1/inputs/fetch`, whose id is the scene's."""
    return {
        "internalId": row.scene.uuid,
        "externalId": row.scene.external_id,
        "batchId": row.request.batch.name,
        "inputType": row.scene.type,
        "status": row.scene.status,
        "created": stamp(row.scene.created),
        "annotationTypes": types,
        "calibrationId": None,
        "viewLink": None,
        "errorMessage": None,
    }


def request(row: Request, inputs: list[Input], *, counts: bool) -> dict[str, Any]:
    """Return a request of `/v2/requests`."""
    shown: dict[str, Any] = {
        "id": row.id,
        "projectId": row.batch.project.id,
        "createdAt": stamp(row.created),
        "title": f"{row.batch.title}: {row.type}",
        "requestUid": row.uid,
    }
    if counts:
        states = [each.status for each in inputs]
        shown["inputProgressCounts"] = {
            "notStarted": states.count("not_started"),
            "inProgress": states.count("in_progress"),
            "completed": states.count("completed"),
            "total": len(states),
        }
    return shown


def request_input(row: Input) -> dict[str, Any]:
    """Return an input of `/v2/request-inputs`."""
    done = row.status == "completed"
    return {
        "id": row.uuid,
        "requestId": row.request.id,
        "sceneId": row.scene.uuid,
        "status": row.status,
        "lastCompletedAnnotationId": row.annotation.uuid if row.annotation else None,
        "createdAt": stamp(row.created),
        "lastUpdatedAt": stamp(row.updated),
        "completedAt": stamp(row.annotation.created) if row.annotation and done else None,
        "progressDetails": None,
    }
