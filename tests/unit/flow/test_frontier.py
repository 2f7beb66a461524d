"""The frontier: a cursor passes a page only when all of it has settled."""

from hypothesis import given
from hypothesis import strategies as st

from syncer.flow.frontier import Frontier, Ticket, Wanted
from syncer.model.refs import AnnotationRef, Cursor, ItemKey, Partition, PartitionKey

PARTITION = Partition(PartitionKey("7"))


def item(name: str, version: str, ticket: Ticket) -> Wanted:
    """Return a wanted item of a page."""
    return Wanted(AnnotationRef(ItemKey("task", "7", None, None, name), version), {}, [ticket])


def test_a_page_passes_only_behind_the_pages_before_it() -> None:
    """The second page has settled first, and still waits for the first."""
    frontier = Frontier()
    one, two = Ticket(PARTITION, Cursor("1")), Ticket(PARTITION, Cursor("2"))
    frontier.admit(one)
    a = item("a", "1", one)
    frontier.want(a)
    frontier.admit(two)
    assert frontier.passed() == []
    frontier.settle(a)
    assert frontier.passed() == [one, two]


def test_a_repeated_reference_is_fetched_once_and_holds_both_pages() -> None:
    """The same version on a later page joins the fetch that is under way."""
    frontier = Frontier()
    one, two = Ticket(PARTITION), Ticket(PARTITION)
    frontier.admit(one)
    frontier.admit(two)
    a = item("a", "1", one)
    assert frontier.want(a) == "new"
    assert frontier.want(item("a", "1", two)) == "joined"
    assert frontier.passed() == []
    frontier.settle(a)
    assert frontier.passed() == [one, two]


def test_a_newer_version_supersedes_one_that_is_not_written_yet() -> None:
    """The older version is dropped, and its page waits for the newer one."""
    frontier = Frontier()
    one, two = Ticket(PARTITION), Ticket(PARTITION)
    frontier.admit(one)
    frontier.admit(two)
    old, new = item("a", "1", one), item("a", "2", two)
    frontier.want(old)
    assert frontier.want(new) == "superseding"
    assert old.superseded
    frontier.settle(new)
    assert frontier.passed() == [one, two]


def test_a_newer_version_follows_one_that_is_being_written() -> None:
    """An older version on its way to the writer is written, then replaced."""
    frontier = Frontier()
    one, two = Ticket(PARTITION), Ticket(PARTITION)
    frontier.admit(one)
    frontier.admit(two)
    old, new = item("a", "1", one), item("a", "2", two)
    frontier.want(old)
    old.sent = True
    assert frontier.want(new) == "new"
    frontier.settle(old)
    assert frontier.passed() == [one]
    frontier.settle(new)
    assert frontier.passed() == [two]
    assert frontier.inflight == {}


@given(st.lists(st.lists(st.integers(0, 5), max_size=4), max_size=8), st.randoms())
def test_the_frontier_never_passes_an_unsettled_page(pages: list[list[int]], random: object) -> None:
    """Whatever the order of settling, a page passes exactly when it and all before it have settled."""
    frontier = Frontier()
    tickets: list[Ticket] = []
    waiting: list[Wanted] = []
    for number, names in enumerate(pages):
        ticket = Ticket(PARTITION, Cursor(str(number)))
        frontier.admit(ticket)
        tickets.append(ticket)
        for name in names:
            wanted = item(str(name), str(number), ticket)
            wanted.sent = True
            if frontier.want(wanted) == "new":
                waiting.append(wanted)
    random.shuffle(waiting)  # type: ignore[attr-defined]  # hypothesis types it as Random
    passed = frontier.passed()
    for wanted in waiting:
        assert tickets[: len(passed)] == passed
        assert all(ticket.open == 0 for ticket in passed)
        frontier.settle(wanted)
        passed += frontier.passed()
    assert passed == tickets
    assert frontier.waiting == 0
