"""Datasets: which of them a selection names, their batches, their tables, and their context documents."""

import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import msgspec
from msgspec import Raw

from syncer.model.errors import BadBody, NotFound, PartitionGone, Rejected, SettingsError, UnknownName
from syncer.model.events import Emit, Warned
from syncer.model.refs import CONTEXT, AnnotationRef, ItemKey, Partition, PartitionKey
from syncer.sources.datature.api import ID, Api, missing_dataset
from syncer.sources.datature.choice import Batch
from syncer.sources.datature.wire import names_of

#: Datasets named in a hint.
SHOWN = 10
#: Statuses that the platform brings; a dataset adds its own.
STATUSES = ("None", "Annotated", "Review", "Tofix", "Completed", "Assisted")

#: What stays the same while people work: no counters, no users, no signed links.
CONTEXT_KEYS = (
    "workspaceId", "datasetId", "name", "description", "type", "content", "createDate", "tags", "tagDetails",
    "assetStatuses", "cohorts", "localization",
)  # fmt: skip


class _Statistic(msgspec.Struct, rename="camel"):
    asset_total: int | None = None
    annotation_total: int | None = None
    asset_annotated: int | None = None
    tags_count: dict[str, int] = {}  # msgspec copies defaults


class _Dataset(msgspec.Struct, rename="camel"):
    dataset_id: str
    name: str = ""
    type: str = ""
    statistic: _Statistic = msgspec.field(default_factory=_Statistic)
    tags: dict[str, Raw] = {}  # msgspec copies defaults
    asset_statuses: dict[str, Raw] = {}  # same
    cohorts: Raw = Raw(b"null")


class _Folder(msgspec.Struct):
    name: str


_DATASET = msgspec.json.Decoder(_Dataset)
_FOLDER = msgspec.json.Decoder(_Folder)
_SLICES = msgspec.json.Decoder(dict[str, Raw])


@dataclass(slots=True)
class Datasets:
    """The datasets that a key can see."""

    api: Api
    emit: Emit = lambda _: None
    #: Statuses that the job waits for; one that no dataset knows is a slip of the pen.
    statuses: frozenset[str] = frozenset()
    #: Documents that came with a selection, for the context that follows: they save a request, nothing else.
    _seen: dict[str, bytes] = field(default_factory=dict, init=False)

    async def selected(self, names: Sequence[str], batches: Sequence[str]) -> AsyncGenerator[Partition]:
        """Yield the datasets that ids, names and globs select, in order of id, each split by batches if asked.

        Raises:
            UnknownName: literals that name nothing; after all others were yielded.
            SettingsError: a name that several datasets have, or a batch that can be none.
        """
        found, unknown, every = await self._found(names or ("*",))
        missing: list[str] = []
        for short in sorted(found):
            words = {"dataset_name": found[short].name}
            self._check(short, found[short])
            if not batches:
                yield Partition(PartitionKey(short), words)
                continue
            chosen, absent = await self._batches(short, found[short], batches)
            missing += absent
            for batch in chosen:
                yield Partition(PartitionKey(short, batch), words)
        if unknown:
            message = f"organization {self.api.organization} has no dataset {', '.join(map(repr, unknown))}"
            known = ", ".join(f"{short} ({dataset.name})" for short, dataset in list(every.items())[:SHOWN])
            hint = f"there are: {known}" if known else "`syncer projects` lists all that this key can see"
            raise UnknownName(f"{message}, or this key may not see it", names=tuple(unknown), hint=hint)
        if missing:
            message = f"no batch {', '.join(map(repr, missing))} in any selected dataset"
            raise UnknownName(message, names=tuple(missing), hint="`syncer batches` lists them")

    async def context(self, dataset: str) -> AnnotationRef:
        """Return what explains a dataset's annotations: tags, their details, statuses; as exact slices.

        Raises:
            PartitionGone: the dataset does not exist any more.
        """
        document = self._seen.pop(dataset, None)
        if document is None:
            document = await self._document(dataset)
        if document is None:
            message = f"dataset {dataset} does not exist any more, or this key may not see it"
            raise PartitionGone(message)
        try:
            slices = _SLICES.decode(document)
        except msgspec.DecodeError as error:
            raise _unreadable(error) from error
        parts = [b'"%b":%b' % (key.encode(), bytes(slices[key])) for key in CONTEXT_KEYS if key in slices]
        content = b"{" + b",".join(parts) + b"}"
        key = ItemKey(CONTEXT, dataset, None, None, "dataset")
        return AnnotationRef(key, hashlib.sha256(content).hexdigest(), size=len(content), inline=content)

    async def table(self) -> Sequence[Mapping[str, str]]:
        """Return id, name, type and counts of every dataset."""
        return [
            {
                "id": short,
                "title": dataset.name,
                "type": dataset.type,
                "assets": _count(dataset.statistic.asset_total),
                "annotated": _count(dataset.statistic.asset_annotated),
                "annotations": _count(dataset.statistic.annotation_total),
            }
            for short, dataset in (await self._all()).items()
        ]

    async def batch_table(self, name: str) -> Sequence[Mapping[str, str]]:
        """Return a row a batch: folders, statuses, tags."""
        found, unknown, _ = await self._found([name])
        if unknown:
            message = f"organization {self.api.organization} has no dataset {name!r}"
            raise SettingsError(message, hint="`syncer projects` lists all that this key can see")
        ((short, dataset),) = found.items()
        counts = {f"tag={tag}": _count(number) for tag, number in dataset.statistic.tags_count.items()}
        names = await self._every_batch(short, dataset)
        return [{"batch": each, "annotations": counts.get(each, "")} for each in names]

    async def _found(self, names: Sequence[str]) -> tuple[dict[str, _Dataset], list[str], dict[str, _Dataset]]:
        found: dict[str, _Dataset] = {}
        others: list[str] = []
        for name in names:
            short = self.api.short(name)
            document = await self._document(short) if ID.fullmatch(short) else None
            if document is None:
                others.append(name)
            else:
                found[short] = self._keep(short, document)
        every = await self._all() if others else {}
        unknown: list[str] = []
        for name in others:
            same = {short: dataset for short, dataset in every.items() if dataset.name == name}
            if len(same) > 1:
                message = f"{len(same)} datasets have the name {name!r}: {', '.join(same)}"
                raise SettingsError(message, hint="name the one that is meant by its id")
            if not same and _is_glob(name):
                same = {
                    short: each
                    for short, each in every.items()
                    if fnmatchcase(short, name) or fnmatchcase(each.name, name)
                }
            elif not same:
                unknown.append(name)
            found |= same
        return found, unknown, every

    async def _batches(self, short: str, dataset: _Dataset, wanted: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return the batches of a dataset that are wanted, and the literals that it does not have."""
        known = await self._every_batch(short, dataset)
        chosen: dict[str, None] = {}
        absent: list[str] = []
        for name in wanted:
            if Batch.decided_by_assets(name):
                Batch.parse(name)
                chosen[name] = None
            elif _is_glob(name):
                chosen |= dict.fromkeys(each for each in known if fnmatchcase(each, name))
            elif name in known:
                chosen[name] = None
            else:
                Batch.parse(name)
                absent.append(name)
        return list(chosen), absent

    async def _every_batch(self, short: str, dataset: _Dataset) -> list[str]:
        folders: list[str] = []
        try:
            async with aclosing(self.api.pages(f"{self.api.dataset(short)}/folders", [("s", "1000")])) as pages:
                async for page in pages:
                    folders += [_FOLDER.decode(row).name for row in page.rows]
        except (NotFound, Rejected):
            # Folders are younger than datasets: not every organization has them.
            folders = []
        except msgspec.DecodeError as error:
            raise _unreadable(error) from error
        statuses = dict.fromkeys([*STATUSES, *dataset.asset_statuses])
        return [
            *(f"folder={name}" for name in folders),
            *(f"status={name}" for name in statuses),
            *(f"tag={name}" for name in dataset.tags),
            *(f"cohort={name}" for name in names_of(dataset.cohorts)),
        ]

    def _check(self, short: str, dataset: _Dataset) -> None:
        known = dict.fromkeys([*STATUSES, *dataset.asset_statuses])
        if strange := sorted(self.statuses - known.keys()):
            words = ", ".join(map(repr, strange))
            self.emit(Warned(f"dataset {short} has no asset status {words}: there are {', '.join(known)}"))

    async def _document(self, short: str) -> bytes | None:
        """Return a dataset's document; None if the platform says that there is none."""
        try:
            return (await self.api.get(self.api.dataset(short))).body
        except NotFound as error:
            missing = missing_dataset(short, error)
            if isinstance(missing, PartitionGone):
                return None
            raise missing from error

    def _keep(self, short: str, document: bytes) -> _Dataset:
        self._seen[short] = document
        try:
            return _DATASET.decode(document)
        except msgspec.DecodeError as error:
            raise _unreadable(error) from error

    async def _all(self) -> dict[str, _Dataset]:
        found: dict[str, _Dataset] = {}
        async with aclosing(self.api.pages(f"{self.api.workspace}/datasets", [("s", "1000")])) as pages:
            async for page in pages:
                for row in page.rows:
                    try:
                        dataset = _DATASET.decode(row)
                    except msgspec.DecodeError as error:
                        raise _unreadable(error) from error
                    found[self.api.short(dataset.dataset_id)] = dataset
        return found


def _is_glob(name: str) -> bool:
    return any(sign in name for sign in "*?[")


def _unreadable(error: Exception) -> BadBody:
    return BadBody(f"a dataset can't be read ({str(error)[:200]}): is the url really that of Datature Vi?")


def _count(number: int | None) -> str:
    return "" if number is None else str(number)
