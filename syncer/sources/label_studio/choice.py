"""Which annotations count as finished, and why the others do not. Pure."""

from collections.abc import Sequence

import msgspec

from syncer.sources.label_studio.options import LabelStudioOptions
from syncer.sources.label_studio.rows import Head, Task


class Choice(msgspec.Struct, frozen=True):
    """Which annotations count as finished."""

    include_cancelled: bool = False
    ground_truth: str = "any"
    #: Ids of users; empty: all.
    users: frozenset[int] = frozenset()
    #: Last actions; empty: all.
    actions: frozenset[str] = frozenset()

    @classmethod
    def of(cls, options: LabelStudioOptions, users: frozenset[int]) -> "Choice":
        """Take it from the options; e-mail addresses are already resolved."""
        return cls(options.include_cancelled, options.ground_truth, users, frozenset(options.review))

    @property
    def by_attribute(self) -> bool:
        """Whether the counts of a task are not enough to tell."""
        return self.ground_truth != "any" or bool(self.users) or bool(self.actions)

    def reason_against(self, head: Head) -> str | None:
        """Return why an annotation does not count; None if it does."""
        if head.was_cancelled and not self.include_cancelled:
            return "skipped"
        if self.ground_truth != "any" and bool(head.ground_truth) != (self.ground_truth == "only"):
            return "ground truth mark"
        if self.users and head.author not in self.users:
            return "completed by another user"
        if self.actions and head.last_action not in self.actions:
            return f"last action is {head.last_action}"
        return None

    def reason_against_task(self, task: Task, heads: Sequence[Head]) -> str | None:
        """Return why a task is not finished; None if it is. Counts decide where they can: every listing has them."""
        if self.by_attribute:
            chosen = any(self.reason_against(head) is None for head in heads)
            return None if chosen else "no annotation that was chosen"
        if task.total_annotations + (task.cancelled_annotations if self.include_cancelled else 0) > 0:
            return None
        return "skipped" if task.cancelled_annotations else "no finished annotation"
