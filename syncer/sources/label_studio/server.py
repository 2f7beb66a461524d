"""One server with its options: what listings, openings and tables of it share."""

from dataclasses import dataclass, field

import msgspec

from syncer.model.errors import BadBody, SettingsError
from syncer.model.events import Emit
from syncer.ports import Clock
from syncer.sources.label_studio.api import Api
from syncer.sources.label_studio.choice import Choice
from syncer.sources.label_studio.documents import Reader
from syncer.sources.label_studio.files import Files
from syncer.sources.label_studio.listing import Listing
from syncer.sources.label_studio.options import LabelStudioOptions
from syncer.sources.label_studio.pace import Pace
from syncer.sources.label_studio.queries import LEAN, LEAN_HEADS, WHOLE_ANNOTATIONS, WHOLE_TASKS, Filter, Shape

#: Most rows of a page by what they carry: side by side in complete listings, and alone in listings of changes.
MOST_WHOLE = 1000
LEAN_ROWS, MOST_LEAN = 5_000, 10_000
HEAD_ROWS, MOST_HEADS = 1_000, 2_000


class _User(msgspec.Struct):
    id: int
    email: str = ""


@dataclass(slots=True)
class Server:
    """Makes readers and listings. Holds nothing that a restart would miss."""

    api: Api
    options: LabelStudioOptions
    clock: Clock
    emit: Emit
    #: Ids of the users in `completed_by`, once they are resolved.
    _users: frozenset[int] | None = field(default=None, init=False)

    async def reader(self, project: str, kind: str | None = None) -> Reader:
        """Return what reads pages of a project; `kind` None: the one that the options ask for."""
        options = self.options
        if self._users is None:
            self._users = await self._resolve()
        choice = Choice.of(options, self._users)
        files = self.files() if options.media else None
        return Reader(project, kind or options.granularity, choice, frozenset(options.volatile), files)

    def files(self) -> Files:
        """Return what finds the files of tasks."""
        return Files(self.api.url, frozenset(self.options.media_fields))

    def whole(self, reader: Reader, filters: tuple[Filter, ...] = ()) -> Listing:
        """Return a listing that carries documents."""
        shape = WHOLE_ANNOTATIONS if reader.kind == "annotation" else WHOLE_TASKS
        return self._listing(reader, shape, Pace(self.options.page_size, MOST_WHOLE), filters)

    def lean(self, reader: Reader, filters: tuple[Filter, ...] = (), *, wide: bool = False) -> Listing:
        """Return a listing of identities, times and names; `wide`: in the largest pages."""
        if reader.needs_heads:
            rows = MOST_HEADS if wide else HEAD_ROWS
            return self._listing(reader, LEAN_HEADS, Pace(rows, rows), filters)
        rows = MOST_LEAN if wide else LEAN_ROWS
        return self._listing(reader, LEAN, Pace(rows, rows), filters)

    def _listing(self, reader: Reader, shape: Shape, pace: Pace, filters: tuple[Filter, ...]) -> Listing:
        return Listing(self.api, reader, shape, pace, self.clock, self.emit, filters)

    async def _resolve(self) -> frozenset[int]:
        wanted = self.options.completed_by
        emails = {item.casefold() for item in wanted if isinstance(item, str)}
        ids = {item for item in wanted if isinstance(item, int)}
        if not emails:
            return frozenset(ids)
        response = await self.api.get("/api/users")
        try:
            users = msgspec.json.decode(response.body, type=list[_User])
        except msgspec.DecodeError as error:
            message = "the list of users can't be read"
            raise BadBody(message) from error
        found = {user.email.casefold(): user.id for user in users}
        if unknown := sorted(emails - found.keys()):
            message = f"completed_by: no user of {self.api.url} has the e-mail address {', '.join(unknown)}"
            raise SettingsError(message, hint="give the user's id instead, or check the spelling")
        return frozenset(ids | {found[email] for email in emails})
