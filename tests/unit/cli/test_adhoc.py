"""What the words of an export stand for."""

from pathlib import Path

import pytest

from syncer.cli.adhoc import Choice, choose, destination, dotted, missing
from syncer.cli.exits import UsageError
from syncer.model.errors import SettingsError
from syncer.settings.units import name_problem

PLATFORMS = {"studio": {"type": "label_studio"}, "a": {"type": "memory"}, "b": {"type": "memory"}}


def test_a_platform_goes_by_name_then_by_type() -> None:
    """A configured name wins, a type stands for its only platform, and a type of none for itself."""
    assert choose("studio", PLATFORMS, ["label_studio"]) == Choice("studio", "label_studio", configured=True)
    assert choose("label_studio", PLATFORMS, ["label_studio"]) == Choice("studio", "label_studio", configured=True)
    assert choose("label_studio", {}, ["label_studio"]) == Choice("label_studio", "label_studio", configured=False)


@pytest.mark.parametrize(("word", "said"), [("memory", "name one: a, b"), ("stduio", "did you mean 'studio'")])
def test_a_platform_that_is_none_or_several(word: str, said: str) -> None:
    """A type of several platforms names none of them; a misspelt one is corrected."""
    with pytest.raises(UsageError) as caught:
        choose(word, PLATFORMS, ["label_studio", "memory"])
    assert said in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("to", ["out.zip", "./out.zip", "x/../out.zip", "file:out.zip", "{folder}/out.zip"])
def test_rule_4_one_destination_is_one_job(tmp_path: Path, to: str) -> None:
    """However a destination is spelt, it is the same job: the next export goes on where the last one stopped."""
    found = destination(to.format(folder=tmp_path), tmp_path)
    assert found == destination("out.zip", tmp_path)
    assert found.job.startswith("out-")
    assert dict(found.sink) == {"type": "zip", "url": tmp_path.as_uri(), "name": "out.zip"}


def test_a_folder_is_one_object_an_item(tmp_path: Path) -> None:
    """With or without a slash at its end a folder is a folder, and not the job of an archive of that name."""
    found = destination("out/", tmp_path)
    assert found == destination("out", tmp_path)
    assert dict(found.sink) == {"type": "prefix", "url": (tmp_path / "out").as_uri()}
    assert found.job != destination("out.zip", tmp_path).job


@pytest.mark.parametrize("to", ["Ünïcode & co.zip", "a" * 200 + "/", "...zip", "/", "-x.zip", "{project}.zip"])
def test_every_destination_gives_a_name(tmp_path: Path, to: str) -> None:
    """Whatever it is called, the job's name is one that a configuration takes."""
    assert name_problem(destination(to, tmp_path).job) is None


def test_braces_in_an_archive_are_no_variables(tmp_path: Path) -> None:
    """`{project}.zip` names one file, not one a project."""
    assert destination("{project}.zip", tmp_path).sink["name"] == "{{project}}.zip"


@pytest.mark.parametrize("to", ["", "labels.json", "out.tar.gz", "OUT.ZIP"])
def test_what_cannot_be_written_is_refused(tmp_path: Path, to: str) -> None:
    """Other kinds of files are refused before anything is asked."""
    with pytest.raises(UsageError):
        destination(to, tmp_path)
    assert destination("labels.json/", tmp_path).sink["type"] == "prefix"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """A folder that is a file is refused."""
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(UsageError, match="is a file"):
        destination("notes", tmp_path)


@pytest.mark.parametrize("to", ["s3:bucket/a/", "az://c/a", "s3://bucket/../a.zip", "ftp://host/a"])
def test_wrong_urls_are_refused_in_the_words_of_the_sinks(tmp_path: Path, to: str) -> None:
    """Destinations that can't be are refused with what to write instead."""
    with pytest.raises(SettingsError) as caught:
        destination(to, tmp_path)
    assert caught.value.hint


def test_a_bucket_holds_objects_or_an_archive(tmp_path: Path) -> None:
    """A prefix is a sink of objects, a name that ends with .zip an archive below the rest; names stay as written."""
    loose = destination("s3://bucket/a b/labels/", tmp_path)
    assert (loose.url, dict(loose.sink)) == (
        "s3://bucket/a b/labels", {"type": "prefix", "url": "s3://bucket/a b/labels"}
    )  # fmt: skip
    packed = destination("gs://bucket/x/10%20{a}.zip", tmp_path)
    assert dict(packed.sink) == {"type": "zip", "url": "gs://bucket/x", "name": "10%20{{a}}.zip"}
    assert destination("s3://bucket/out.zip", tmp_path).sink["url"] == "s3://bucket"
    with pytest.raises(UsageError):
        destination("s3://bucket/out.csv", tmp_path)


def test_tables_are_named_by_their_endings(tmp_path: Path) -> None:
    """A table is asked for by its ending, which says how it is compressed; with a slash it is a folder of tables."""
    packed = destination("s3://bucket/x/{a}.jsonl.zst", tmp_path)
    kind = {"type": "jsonl", "compression": "zst"}
    assert dict(packed.sink) == {**kind, "url": "s3://bucket/x", "name": "{{a}}"}
    assert dict(destination("out.jsonl", tmp_path).sink) == {
        "type": "jsonl", "compression": "none", "url": tmp_path.as_uri(), "name": "out"
    }  # fmt: skip
    assert destination("out.parquet", tmp_path).sink["type"] == "parquet"
    folder = destination("s3://bucket/out.parquet/", tmp_path)
    assert dict(folder.sink) == {"type": "parquet", "url": "s3://bucket/out.parquet"}
    assert destination("out.zip", tmp_path).job != destination("out.jsonl", tmp_path).job


def test_bare_options_are_the_platforms() -> None:
    """Full paths stay, `sink.` is the export's sink, all else the platform's."""
    given = ["url=http://a", "limits.concurrency=2", "sink.on_delete=delete", "platform.token=env:X", "state=memory:",
             "platforms.studio.url=b", "log.level=debug", "nonsense"]  # fmt: skip
    assert dotted(given, "studio", "out-1") == [
        "platforms.studio.url=http://a", "platforms.studio.limits.concurrency=2", "sinks.out-1.on_delete=delete",
        "platforms.studio.token=env:X", "state=memory:", "platforms.studio.url=b", "log.level=debug", "nonsense",
    ]  # fmt: skip


def test_a_missing_option_is_named_as_it_is_given() -> None:
    """An error about an option of a platform without a file says what to write on the command line."""
    advice = missing("platforms.ls.token: is not there", "ls", {"token": ("env:LS_KEY",)})
    assert advice is not None
    assert "--set token=env:LS_KEY" in advice
    assert missing("jobs.x: is wrong", "ls", {}) is None
