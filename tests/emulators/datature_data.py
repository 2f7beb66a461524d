"""What an emulated Datature Vi holds: datasets, assets, annotations, sessions and exports, and how they are edited.

Every id, tag and time is made from numbers, so that two platforms of one size are alike to the byte.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = Any

ORG = "acme"
#: Epoch milliseconds from which all times count.
EPOCH = 1_760_000_000_000
STATUSES = {"Completed": "#0f0", "Gold": "#fd0"}


def compact(value: Json) -> bytes:
    """Return JSON as the platform writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(slots=True)
class Annotation:
    """One part of an annotation."""

    resource: dict[str, Json]
    #: Bytes that are served instead of the resource: a row that no parser takes.
    spoiled: bytes | None = None

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.resource["annotationId"])

    def spoil(self) -> None:
        """Serve it with a number that is none in JSON."""
        self.spoiled = compact({**self.resource, "spoiled": "?"}).replace(b'"spoiled":"?"', b'"spoiled":NaN')

    def served(self) -> bytes:
        """Return the bytes of the resource."""
        return self.spoiled or compact(self.resource)


@dataclass(slots=True)
class Asset:
    """One image with its annotations."""

    resource: dict[str, Json]
    folder: str
    annotations: dict[str, Annotation] = field(default_factory=dict)
    #: The file itself.
    content: bytes = b""
    #: Objects that `assetsWithObjects` leaves out, from the end.
    hidden: int = 0

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.resource["assetId"])

    @property
    def status(self) -> str:
        """Where it stands in the workflow."""
        return str(self.resource["metadata"]["status"])


class Dataset:
    """One dataset; every edit moves the clock by a second."""

    def __init__(self, name: str, kind: str = "phrase-grounding", org: str = ORG) -> None:
        self._id, self.kind, self.org = name, kind, org
        self.title = f"The {name} dataset"
        self.assets: dict[str, Asset] = {}
        self.cohorts: list[Json] = []
        self.sessions: list[dict[str, Json]] = []
        self.exports: list[dict[str, Json]] = []
        #: An edited annotation moves its asset's etag and times.
        self.touching = True
        self._edits = 0
        self._serial = 0
        self._assets = 0

    @property
    def id(self) -> str:
        """The id as people speak of it."""
        return self._id

    @property
    def composite(self) -> str:
        """The id as it stands in paths and answers."""
        return f"{self.org}_{self.id}"

    def path(self) -> str:
        """Return the path of the dataset."""
        return f"/workspaces/{self.org}/datasets/{self.composite}"

    # ------------------------------------------------------------------------------------------ edits

    def generate(self, count: int, parts: int = 3, status: str = "Completed") -> None:
        """Add assets, each with a caption and phrases in it (or questions, freeform texts: by the dataset's type)."""
        for _ in range(count):
            asset = self.add_asset(status)
            for _ in range(parts):
                self.add_annotation(asset.id)

    def add_asset(self, status: str = "Completed", folder: str = "") -> Asset:
        """Add an asset without annotations."""
        self._assets += 1
        number = self._assets
        name, now = f"asset-{number:05d}", EPOCH + number
        content = b"\x89PNG\r\n\x1a\n" + f"{self.id}/{name}".encode() * (8 + number % 50)
        metadata = {
            "generations": {"asset": "1", "thumbnail": "1"}, "insertedBy": "user_1",
            "annotations": {"withTag": {}, "total": 0}, "frames": 1, "cohorts": [], "fileSize": len(content),
            "height": 480, "width": 640, "mimeType": "image/png", "source": "upload", "status": status,
            "uploadStatus": "Uploaded", "visibility": "visible", "userDefined": {}, "customMetadata": {},
            "dimensions": {"height": 480, "width": 640}, "pixelRatio": {"height": 1, "width": 1}, "comments": 0,
            "customMetadataCount": 0, "hash": _hash(content, number), "contentsFrom": "upload",
            "framesChange": {}, "timeCreated": now, "lastUpdated": now, "contentsLastUpdated": now,
        }  # fmt: skip
        resource = {
            "kind": "Image", "workspaceId": self.org, "datasetId": self.composite, "assetId": name,
            "filename": f"img {number:05d}.png", "owner": self.org, "metadata": metadata,
            "selfLink": f"{self.path()}/assets/{name}", "etag": f"a{number}",
        }  # fmt: skip
        self.assets[name] = asset = Asset(resource, folder, content=content)
        return asset

    def add_annotation(self, asset: str, contents: Json = None, whole: str | None = None) -> Annotation:
        """Add one part: a caption first, then phrases in it; VQA and freeform datasets have kinds of their own."""
        found = self.assets[asset]
        place = len(found.annotations)
        self._serial += 1
        name, now = f"annot-{self._serial:06d}", EPOCH + self._serial
        kind, made = _contents(self.kind, place)
        spec = {
            "boundType": "rectangle", "tag": 1 + place % 3,
            "aggregation": {"whole": {"id": whole or f"whole-{asset}"}, "thisPart": {"role": kind}},
            "contents": contents if contents is not None else made,
        }  # fmt: skip
        resource = {
            "kind": "Annotation", "workspaceId": self.org, "datasetId": self.composite, "assetId": asset,
            "annotationId": name, "spec": spec,
            "metadata": {"timeCreated": now, "lastUpdated": now, "generation": 1, "attributes": {}},
            "selfLink": f"{self.path()}/assets/{asset}/annotations/{name}", "etag": f"n{self._serial}",
        }  # fmt: skip
        found.annotations[name] = annotation = Annotation(resource)
        self._recount(found)
        return annotation

    def change(self, annotation: str) -> None:
        """Move a box or a word."""
        asset, found = self.find(annotation)
        self._edits += 1
        now = EPOCH + self._edits * 1000 + 3_600_000
        found.resource["metadata"] |= {"lastUpdated": now, "generation": found.resource["metadata"]["generation"] + 1}
        found.resource["spec"]["contents"] = {**found.resource["spec"]["contents"], "edited": self._edits}
        found.resource["etag"] = f"n-edit-{self._edits}"
        if self.touching:
            self.touch(asset)

    def touch(self, asset: Asset, *, silent: bool = False) -> None:
        """Move an asset's etag, and its times unless it happens silently."""
        self._edits += 1
        asset.resource["etag"] = f"a-edit-{self._edits}"
        if not silent:
            now = EPOCH + self._edits * 1000 + 3_600_000
            asset.resource["metadata"] |= {"lastUpdated": now, "contentsLastUpdated": now}

    def set_status(self, asset: str, status: str) -> None:
        """Move an asset in the workflow."""
        self.assets[asset].resource["metadata"]["status"] = status
        self.touch(self.assets[asset])

    def remove_annotation(self, annotation: str) -> None:
        """Delete one part."""
        asset, _ = self.find(annotation)
        del asset.annotations[annotation]
        self._recount(asset)
        if self.touching:
            self.touch(asset)

    def remove_asset(self, asset: str) -> None:
        """Delete an asset with all that it has."""
        del self.assets[asset]

    def import_session(self, *, running: bool = True) -> dict[str, Json]:
        """Begin an import of annotations."""
        status = "Waiting" if running else "Reached"
        session = {
            "kind": "AnnotationImportSession", "annotationImportSessionId": f"session-{len(self.sessions) + 1}",
            "status": {"conditions": [{"condition": "Finished", "status": status, "lastTransitionTime": EPOCH}]},
        }  # fmt: skip
        self.sessions.append(session)
        return session

    # ------------------------------------------------------------------------------------------ looks

    def now(self) -> int:
        """Return the time of the last edit, and a moment."""
        return 1 + max((asset.resource["metadata"]["lastUpdated"] for asset in self.assets.values()), default=EPOCH)

    def find(self, annotation: str) -> tuple[Asset, Annotation]:
        """Return an annotation with its asset."""
        for asset in self.assets.values():
            if annotation in asset.annotations:
                return asset, asset.annotations[annotation]
        raise KeyError(annotation)

    def finished(self, statuses: Sequence[str] = ("Completed",)) -> list[Asset]:
        """Return annotated assets with one of these statuses."""
        return [asset for asset in self.assets.values() if asset.status in statuses and asset.annotations]

    def resource(self) -> Mapping[str, Json]:
        """Return the dataset as it is served."""
        total = sum(len(asset.annotations) for asset in self.assets.values())
        return {
            "kind": "Dataset", "workspaceId": self.org, "datasetId": self.composite, "name": self.title,
            "owner": self.org, "description": "", "type": self.kind, "content": "Image", "createDate": EPOCH,
            "statistic": {
                "assetTotal": len(self.assets), "annotationTotal": total, "tagsCount": {"caption": total},
                "assetAnnotated": sum(bool(asset.annotations) for asset in self.assets.values()),
            },
            "users": {"user_1": "owner"}, "tags": {"caption": 1, "phrase": 2, "other": 3},
            "cohorts": self.cohorts, "status": 0, "lastAccessed": EPOCH, "isLocked": False,
            "access": {"isPublic": False, "isReadOnly": False, "isHidden": False}, "preference": {},
            "assetStatuses": {name: {"description": "", "color": color} for name, color in STATUSES.items()},
            "selfLink": self.path(), "etag": f"d{self._edits}", "localization": "Datature/Multi",
            "tagDetails": {"caption": {"description": "", "color": "#123456"}},
        }  # fmt: skip

    def _recount(self, asset: Asset) -> None:
        tags: dict[str, int] = {}
        for annotation in asset.annotations.values():
            name = ("caption", "phrase", "other")[annotation.resource["spec"]["tag"] - 1]
            tags[name] = tags.get(name, 0) + 1
        asset.resource["metadata"]["annotations"] = {"withTag": tags, "total": len(asset.annotations)}


def _hash(content: bytes, number: int) -> Json:
    """Return the hash of a file, where the platform has one."""
    if number % 2:
        return {"algorithm": "", "contents": ""}
    return {"algorithm": "MD5", "contents": hashlib.md5(content, usedforsecurity=False).hexdigest()}


def _contents(kind: str, place: int) -> tuple[str, Json]:
    """Return role and contents of the next part of a dataset of this type."""
    if kind == "vqa":
        return "Vqa", {
            "kind": "Vqa",
            "interactions": [{"order": place, "question": f"q{place}?", "answer": "a red car"}],
        }
    if kind == "freeform":
        return "Freeform", {"kind": "Freeform", "anything": [1.5, 12345678901234567890, {"deep": None}]}
    if place == 0:
        return "Caption", {"kind": "Caption", "contents": "a red car by a tree"}
    low, high = 0.1 * (place % 5), 0.1 * (place % 5) + 0.3
    bound = [[low, 0.2], [high, 0.2], [high, 0.4], [low, 0.4]]
    target = [2, 9] if place % 2 else [13, 19]
    box = {"kind": "PhraseGroundingBoundingBox", "bound": bound, "target": target}
    return "PhraseGroundingBoundingBox", box
