"""What an item is called: after its scene, and after its request too where a scene has several annotations."""

from collections.abc import Collection, Sequence

import msgspec

from syncer.sources.kognic.rows import order

#: Between scene and request; stands in no uuid.
MARK = "~"


class Found(msgspec.Struct, frozen=True):
    """A finished annotation as a listing shows it, whichever route it came by."""

    scene: str
    created: str
    uri: str | None = None
    #: Uid of the request that it was made for; empty where the route does not say.
    request: str = ""
    #: Uuid of the scene's input in that request; same.
    input: str = ""
    #: No other annotation of its scene, of whatever type, is there; known where scenes are asked.
    alone: bool = True


def item_of(scene: str, request: str) -> str:
    """Return the name of one of several annotations of a scene."""
    return f"{scene}{MARK}{request}"


def scene_of(item: str) -> tuple[str, str]:
    """Return scene and request of a name; the request is empty where the scene alone is the name."""
    scene, _, request = item.partition(MARK)
    return scene, request


def newest(found: Sequence[Found]) -> Found | None:
    """Return the newest of several annotations."""
    return max(found, key=lambda each: (order(each.created), each.created), default=None)


def by_request(found: Sequence[Found]) -> list[Found]:
    """Return the newest annotation of each request, the oldest of these first."""
    requests = {each.request for each in found}
    kept = [newest([each for each in found if each.request == request]) for request in requests]
    return sorted((each for each in kept if each is not None), key=lambda each: (order(each.created), each.request))


def apart(found: Sequence[Found], taken: Collection[str]) -> list[tuple[str, Found]]:
    """Return a name for each of several annotations of one scene and type; of one request, the newest alone counts.

    The oldest is called after the scene alone, the others after their requests too. A name in `taken` stays: a
    correction makes an annotation the newest, and must not give its name to another one.
    """
    rows = by_request(found)
    bare = [each for each in rows if item_of(each.scene, each.request) not in taken]
    return [(each.scene if bare and each is bare[0] else item_of(each.scene, each.request), each) for each in rows]


def by_scene(found: Sequence[Found]) -> list[tuple[str, Found]]:
    """Return a name for each annotation where requests are known: after the scene alone where it has no other one."""
    return [(each.scene if each.alone else item_of(each.scene, each.request), each) for each in by_name(found)]


def by_name(found: Sequence[Found]) -> list[Found]:
    """Return the newest annotation of each scene and request, in the order of the listing."""
    kept: dict[tuple[str, str], Found] = {}
    for each in found:
        before = kept.get((each.scene, each.request))
        kept[each.scene, each.request] = each if before is None else newest([before, each]) or each
    return list(kept.values())
