"""Batches: which part of an app a name stands for, and how listings and searches are asked for it. Pure.

A dataset is named by its id; everything else says its kind: `version=DATASET/VERSION`, `task=ID`, `inputs=A,B`,
`users=A,B`, `workers=A,B`, `model_versions=A,B`.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from syncer.model.errors import SettingsError
from syncer.sources.clarifai.rows import Head

Kind = Literal["app", "dataset", "version", "task", "inputs", "users", "workers", "model_versions"]

#: Kinds that may be named, and whether a name may be a list.
KINDS: Mapping[Kind, bool] = {
    "dataset": False, "version": False, "task": False,
    "inputs": True, "users": True, "workers": True, "model_versions": True,
}  # fmt: skip

#: Parameters of the annotation list for each kind that it knows.
_PARAMETERS: Mapping[Kind, str] = {"task": "task_id", "users": "user_ids", "model_versions": "model_version_ids"}
#: Fields that a search can be narrowed by, where there is one value.
_FIELDS: Mapping[Kind, str] = {"task": "task_id", "users": "user_id", "model_versions": "model_version_id"}


class Scope(msgspec.Struct, frozen=True):
    """One batch, or the whole app."""

    kind: Kind = "app"
    values: tuple[str, ...] = ()

    @property
    def name(self) -> str | None:
        """The one spelling, as it stands in keys; None for the app."""
        if self.kind == "app":
            return None
        return self.values[0] if self.kind == "dataset" else f"{self.kind}={','.join(self.values)}"

    @property
    def of_machines(self) -> bool:
        """Whether the batch asks for what models made, trusted or not."""
        return self.kind == "model_versions"

    @property
    def shows_members(self) -> bool:
        """Whether its inputs are listed by themselves, not along with those of the whole app."""
        return self.kind in {"dataset", "version", "inputs"}

    @property
    def searchable(self) -> bool:
        """Whether what changed in it can be searched for: a search can't be told which inputs."""
        return self.kind not in {"version", "inputs"}

    def params(self) -> list[tuple[str, str]]:
        """Return the parameters that narrow the annotation list."""
        name = _PARAMETERS.get(self.kind)
        return [(name, value) for value in self.values] if name is not None else []

    def filters(self) -> list[dict[str, object]]:
        """Return the filters that narrow a search; what they can't say, `reason_against` does."""
        if self.kind == "dataset":
            return [{"input": {"dataset_ids": list(self.values)}}]
        name = _FIELDS.get(self.kind)
        return [{"annotation": {name: self.values[0]}}] if name is not None and len(self.values) == 1 else []

    def reason_against(self, head: Head) -> str:
        """Return why an annotation is not of this batch; empty if it is, or if only the listing can tell."""
        inside = {
            "task": head.task_id in self.values,
            "inputs": head.input_id in self.values,
            "users": (head.user_id or head.author) in self.values and not head.made_by_machine,
            "workers": head.author in self.values,
            "model_versions": head.model in self.values,
        }
        return "" if inside.get(self.kind, True) else f"not of {self.name}"


def scope_of(name: str | None) -> Scope:
    """Read the name of a batch.

    Raises:
        SettingsError: it names a kind that there is not, or nothing.
    """
    if name is None:
        return Scope()
    word, sign, rest = name.partition("=")
    kind = next((kind for kind in KINDS if sign and kind == word), None)
    if sign and kind is None:
        message = f"{name!r} names no kind of batch"
        raise SettingsError(message, hint=f"a dataset's id, or one of {', '.join(f'{each}=…' for each in KINDS)}")
    if kind is None:
        return Scope("dataset", (name,))
    values = tuple(sorted({part.strip() for part in (rest.split(",") if KINDS[kind] else [rest]) if part.strip()}))
    if not values:
        message = f"the batch {name!r} names nothing"
        raise SettingsError(message, hint=f"write {kind}=ID")
    if kind == "version" and not all(values[0].partition("/")):
        raise SettingsError(f"{name!r} names no version of a dataset", hint="write version=DATASET/VERSION")
    return Scope(kind, values)
