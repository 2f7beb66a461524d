"""OpenLABEL documents of Kognic: checked with the vendor's own models, and converted in three lines."""

import json
from pathlib import Path

import yaml

from tests.emulators.kognic import BATCH, PROJECT, TYPE, KognicPlatform
from tests.support.kognic_export import Exporter, named, numbers

#: What the vendor's documentation tells its users to write around a download, less the download.
CONVERT = '''
"""A format of our own."""

from kognic.openlabel.models import OpenLabelAnnotation


def to_custom(annotation: OpenLabelAnnotation) -> bytes:
    names = sorted(each.name for each in annotation.openlabel.objects.values())
    return "\\n".join([annotation.openlabel.metadata.schema_version.value, *names]).encode()
'''


def prepare(folder: Path, platform: KognicPlatform, **job: str) -> Exporter:
    """Write a configuration with one job, and return what runs it."""
    select = {"projects": [PROJECT], "batches": [BATCH], "annotation_types": [TYPE]}
    tree = {
        "state": "sqlite:state.db",
        "platforms": {"cars": {"type": "kognic", "url": platform.url}},
        "sinks": {"lake": {"type": "prefix", "url": "file:labels"}},
        "jobs": {"job": {"platform": "cars", "select": select, "sinks": ["lake"], **job}},
    }
    (folder / "syncer.yaml").write_text(yaml.safe_dump(tree))
    return Exporter(folder, platform)


async def test_what_is_no_openlabel_is_owed(tmp_path: Path) -> None:
    """A document that the vendor's models refuse is owed with the reason; the others lie there as they were served."""
    async with KognicPlatform(6) as platform:
        spoiled = platform.inputs[2]
        platform.world.correct(spoiled, b'{"openlabel": {"metadata": {"uuid": "no version"}}}')
        exporter = prepare(tmp_path, platform, validate="openlabel")
        ended = await exporter.run("sync", "-o", "json")
        assert (ended.code, numbers(ended, "stored", "owed")) == (3, (5, 1)), ended.err
        reason = ended.err.rpartition(spoiled.scene.uuid)[2]
        assert "schema_version" in reason, ended.err
        expected = named(platform.documents())
        del expected[f"{spoiled.scene.uuid}.json"]
        assert exporter.documents("labels") == expected
        platform.world.correct(spoiled)
        assert numbers((await exporter.run("sync", "-o", "json")).ok(), "stored", "owed") == (1, 0)
        assert exporter.documents("labels") == named(platform.documents())


async def test_a_document_is_converted_in_three_lines(tmp_path: Path) -> None:
    """A function from the vendor's model to bytes, in a file beside the configuration, makes what is stored."""
    async with KognicPlatform(4, size=3000) as platform:
        (tmp_path / "convert.py").write_text(CONVERT)
        exporter = prepare(tmp_path, platform, transform="convert:to_custom")
        (await exporter.run("sync")).ok()
        found = exporter.documents("labels")
        assert sorted(found) == sorted(named(platform.documents()))
        for name, document in named(platform.documents()).items():
            objects = json.loads(document)["openlabel"]["objects"].values()
            assert found[name].decode().split("\n") == ["1.0.0", *sorted(each["name"] for each in objects)]
