"""Names of archives: the stem that a partition renders to, and the parts of a stem. Pure.

`7.zip`, then `7.part-00002.zip` and so on; in `delta` mode each generation has a stem of its own: `7.000012.zip`.
Tables are named alike: `7.part-00002.parquet`.
"""

import re

import msgspec

from syncer.model.containers import ENDINGS
from syncer.model.errors import SettingsError
from syncer.model.paths import digest8
from syncer.model.refs import Partition
from syncer.model.rows import is_item_path
from syncer.sinks.layout import Template, partition_values

EXTENSION = ".zip"

_PART = re.compile(
    r"(?P<stem>.+?)(?:\.(?P<generation>\d{6,}))?(?:\.part-(?P<number>\d{5,}))?"
    rf"(?P<ending>{'|'.join(map(re.escape, ENDINGS))})",
    re.DOTALL,
)
#: Endings that a part or a generation adds; a stem of its own never has one.
_AMBIGUOUS = re.compile(r"(\.\d{6,}|\.part-\d{5,})$")


class PartId(msgspec.Struct, frozen=True, order=True):
    """One archive among those of a stem."""

    stem: str
    #: The epoch that made it, in `delta` mode; else 0.
    generation: int
    number: int
    #: Ending of the name, which says what kind of file it is.
    ending: str = EXTENSION

    @property
    def name(self) -> str:
        """Name of the archive below its root."""
        generation = f".{self.generation:06d}" if self.generation else ""
        number = f".part-{self.number:05d}" if self.number > 1 else ""
        return f"{self.stem}{generation}{number}{self.ending}"

    @classmethod
    def parse(cls, name: str) -> "PartId | None":
        """Read a name that `name` made; None if it is something else, or leads out of the root."""
        found = _PART.fullmatch(name)
        if found is None or not is_item_path(name):
            return None
        part = cls(found["stem"], int(found["generation"] or 0), int(found["number"] or 1), found["ending"])
        return part if part.name == name else None


class Naming:
    """The `name` template of a sink."""

    def __init__(self, template: Template, ending: str = EXTENSION) -> None:
        self._template, self._ending = template, ending

    def stem_of(self, partition: Partition) -> str:
        """Return the stem for a partition; partitions that render alike share their archives.

        Raises:
            SettingsError: the template uses a variable that this partition does not fill.
        """
        values = partition_values(partition)
        missing = sorted(name for name in self._template.variables if not values.get(name))
        if missing:
            message = (
                f"the archive name {self._template.text!r} uses {{{missing[0]}}}, which {partition.key} does not fill"
            )
            raise SettingsError(message, hint="an archive holds whole partitions: name it by project, batch or type")
        rendered = self._template.render(values, partition.key.canonical)
        stem = rendered.removesuffix(self._ending)
        return f"{stem}~{digest8(stem)}" if _AMBIGUOUS.search(stem) else stem


def part_id(name: str) -> PartId:
    """Read the name of an archive or a table.

    Raises:
        SettingsError: it is none.
    """
    found = PartId.parse(name)
    if found is None:
        message = f"{name[:200]!r} is no name of an archive"
        raise SettingsError(message)
    return found
