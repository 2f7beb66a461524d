"""Which assets count: their status, and the batch that a partition stands for. Pure."""

from fnmatch import fnmatchcase

import msgspec

from syncer.model.errors import SettingsError
from syncer.sources.datature.options import DatatureOptions
from syncer.sources.datature.wire import Asset

#: Kinds of batches that a dataset names, each with what stands behind the sign of equality.
KINDS = ("folder", "status", "tag", "cohort")
#: Kinds that every asset decides for itself: nobody lists what there is of them.
FILENAME, METADATA = "filename", "metadata."

_HINT = (
    "folder=NAME, status=NAME, tag=NAME, cohort=NAME (`syncer batches` lists them), filename=GLOB, metadata.KEY=GLOB"
)


class Batch(msgspec.Struct, frozen=True):
    """A part of a dataset: `folder=street`, `status=Review`, `filename=street_*`, `metadata.camera=aerial`."""

    kind: str
    name: str

    @classmethod
    def parse(cls, text: str) -> "Batch":
        """Read a batch's name.

        Raises:
            SettingsError: it is none.
        """
        kind, sign, name = text.partition("=")
        listed = kind in {*KINDS, FILENAME}
        if not sign or not name or not (listed or (kind.startswith(METADATA) and kind != METADATA)):
            message = f"{text!r} is no batch of a Datature dataset"
            raise SettingsError(message, hint=_HINT)
        if kind not in KINDS and "[" in name:
            message = f"{text!r}: file names and metadata are selected with * and ?, not with sets of characters"
            raise SettingsError(message, hint="name several batches instead")
        return cls(kind, name)

    @classmethod
    def decided_by_assets(cls, text: str) -> bool:
        """Tell whether a name is that of a batch which nobody lists; it may be a pattern itself."""
        return text.startswith((f"{FILENAME}=", METADATA))

    def has(self, asset: Asset) -> bool:
        """Tell whether an asset is in it, as far as the asset says."""
        meta = asset.metadata
        match self.kind:
            case "status":
                return meta.status == self.name
            case "tag":
                return bool(meta.annotations.with_tag.get(self.name))
            case "cohort":
                return self.name in meta.cohort_names
            case "filename":
                return fnmatchcase(asset.filename, self.name)
            case "folder":
                # Its listing holds nothing else.
                return True
            case _:
                value = meta.custom(self.kind.removeprefix(METADATA))
                return value is not None and fnmatchcase(value, self.name)

    @property
    def reason_against(self) -> str:
        """Why the annotations of an asset that is not in it do not count."""
        if self.kind == "tag":
            return f"its asset has no annotation with the tag {self.name}"
        return f"its asset is not in {self.kind}={self.name}"


class Choice(msgspec.Struct, frozen=True):
    """What makes the annotations of an asset items."""

    #: None: any status.
    statuses: frozenset[str] | None
    batch: Batch | None = None

    @classmethod
    def of(cls, options: DatatureOptions, batch: str | None) -> "Choice":
        """Take it from the options; a batch of one status chooses exactly that one."""
        statuses = None if options.any_annotated else frozenset(options.statuses)
        parsed = None if batch is None else Batch.parse(batch)
        if parsed is not None and parsed.kind == "status":
            return cls(frozenset({parsed.name}))
        return cls(statuses, parsed)

    @property
    def folder(self) -> str | None:
        """The folder whose own listing is read; None: that of the dataset."""
        return self.batch.name if self.batch is not None and self.batch.kind == "folder" else None

    def reason_against(self, asset: Asset) -> str | None:
        """Return why the annotations of an asset do not count; None if they do."""
        status = asset.metadata.status
        if self.statuses is not None and status not in self.statuses:
            return f"the status of its asset is {status or 'not set'}"
        return None if self.batch is None or self.batch.has(asset) else self.batch.reason_against
