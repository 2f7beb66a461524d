"""Names of archives and their parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.model.errors import SettingsError
from syncer.model.paths import is_safe
from syncer.model.refs import Partition, PartitionKey
from syncer.sinks.archive.names import Naming, PartId, part_id
from syncer.sinks.layout import Template

KNOWN = ("project", "batch", "annotation_type", "project_title")


def naming(text: str) -> Naming:
    """Return the naming of a template."""
    return Naming(Template.parse(text, KNOWN))


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (PartId("7", 0, 1), "7.zip"),
        (PartId("7", 0, 2), "7.part-00002.zip"),
        (PartId("7", 0, 123456), "7.part-123456.zip"),
        (PartId("7", 12, 1), "7.000012.zip"),
        (PartId("a/b c", 12, 3), "a/b c.000012.part-00003.zip"),
    ],
)
def test_a_name_says_stem_generation_and_number(part: PartId, name: str) -> None:
    """And is read back to the same."""
    assert part.name == name
    assert PartId.parse(name) == part_id(name) == part


@pytest.mark.parametrize(
    "name", ["7", "7.zip.partial", ".zip", "", "7.part-00001.zip.next", "../7.zip", "/7.zip", "_manifest/7.zip"]
)
def test_other_names_are_no_archives(name: str) -> None:
    """They are never taken for one."""
    assert PartId.parse(name) is None
    with pytest.raises(SettingsError):
        part_id(name)


def test_odd_spellings_are_stems_of_their_own() -> None:
    """Part 1 has no number in its name: such a name can only be read as another stem, so it is refused."""
    assert PartId.parse("7.part-00001.zip") is None
    assert PartId.parse("7.part-000002.zip") is None


@given(
    project=st.text(min_size=1, max_size=20),
    generation=st.sampled_from([0, 1, 999_999, 1_000_000]),
    number=st.sampled_from([1, 2, 99_999, 100_000]),
)
def test_any_project_gives_a_safe_stem_whose_parts_are_told_apart(project: str, generation: int, number: int) -> None:
    """A stem is safe, and no part of one stem is ever read as a part of another."""
    stem = naming("{project}").stem_of(Partition(PartitionKey(project)))
    assert is_safe(f"{stem}.zip")
    part = PartId(stem, generation, number)
    assert PartId.parse(part.name) == part


@pytest.mark.parametrize("project", ["7.part-00002", "7.000001"])
def test_a_project_named_like_a_part_gets_a_suffix(project: str) -> None:
    """Its archive would otherwise be taken for a part of project 7's."""
    stem = naming("{project}").stem_of(Partition(PartitionKey(project)))
    assert stem.startswith(f"{project}~")


def test_partitions_that_render_alike_share_a_stem() -> None:
    """By key and by what the platform says of a partition."""
    one = Partition(PartitionKey("7", "a", "box"), {"project_title": "Streets"})
    other = Partition(PartitionKey("7", "b", "box"), {"project_title": "Streets"})
    assert naming("{project}").stem_of(one) == naming("{project}").stem_of(other) == "7"
    assert naming("{project_title}/{annotation_type}").stem_of(one) == "Streets/box"
    assert naming("{project}-{batch}").stem_of(other) == "7-b"
    assert naming("all").stem_of(one) == "all"


def test_a_variable_that_a_partition_does_not_fill_is_named() -> None:
    """An archive can't be named after something that only single items have."""
    with pytest.raises(SettingsError, match=r"uses \{batch\}, which 7 does not fill") as caught:
        naming("{project}-{batch}").stem_of(Partition(PartitionKey("7")))
    assert "project, batch or type" in (caught.value.hint or "")
