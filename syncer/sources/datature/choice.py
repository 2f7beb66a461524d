"""Which assets count: their status, and the batch that a partition stands for. Pure."""

from dataclasses import dataclass

from syncer.model.errors import SettingsError
from syncer.sources.datature.options import DatatureOptions
from syncer.sources.datature.wire import Asset

#: Kinds of batches, each with what stands behind the sign of equality.
KINDS = ("folder", "status", "tag")


@dataclass(frozen=True, slots=True)
class Batch:
    """A part of a dataset: `folder=street`, `status=Review`, `tag=car`."""

    kind: str
    name: str

    @classmethod
    def parse(cls, text: str) -> "Batch":
        """Read a batch's name.

        Raises:
            SettingsError: it is none.
        """
        kind, sign, name = text.partition("=")
        if not sign or not name or kind not in KINDS:
            message = f"{text!r} is no batch of a Datature dataset"
            raise SettingsError(message, hint="folder=NAME, status=NAME or tag=NAME; `syncer batches` lists them")
        return cls(kind, name)


@dataclass(frozen=True, slots=True)
class Choice:
    """What makes the annotations of an asset items."""

    #: None: any status.
    statuses: frozenset[str] | None
    tag: str | None = None
    folder: str | None = None

    @classmethod
    def of(cls, options: DatatureOptions, batch: str | None) -> "Choice":
        """Take it from the options; a batch of one status chooses exactly that one."""
        statuses = None if options.any_annotated else frozenset(options.statuses)
        if batch is None:
            return cls(statuses)
        parsed = Batch.parse(batch)
        if parsed.kind == "status":
            return cls(frozenset({parsed.name}))
        if parsed.kind == "tag":
            return cls(statuses, tag=parsed.name)
        return cls(statuses, folder=parsed.name)

    def reason_against(self, asset: Asset) -> str | None:
        """Return why the annotations of an asset do not count; None if they do."""
        status = asset.metadata.status
        if self.statuses is not None and status not in self.statuses:
            return f"the status of its asset is {status or 'not set'}"
        if self.tag is not None and not asset.metadata.annotations.with_tag.get(self.tag):
            return f"its asset has no annotation with the tag {self.tag}"
        return None
