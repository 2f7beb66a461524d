"""Documents made from numbers: OpenLABEL that the vendor's own models accept, and the format that came before it."""

import json
import random
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec

from tests.emulators.kognic.world import Annotation

#: About what one cuboid adds.
_CUBOID = 318


def openlabel(annotation: Annotation, size: int, *, iso: bool = False, seed: int = 0) -> bytes:
    """Return an annotation's document of about `size` bytes; `iso`: turned to ISO 8855; `seed`: other cuboids."""
    if annotation.body is not None:
        return annotation.body
    return (
        b'{"openlabel": {"metadata": {"schema_version": "1.0.0", "uuid": "%b", "kognic_format_version": "2.2", '
        b'"annotation_number": %d, "scene_external_id": "%b"}, %b}}'
        % (
            annotation.uuid.encode(),
            annotation.number,
            json.dumps(annotation.input.scene.external_id)[1:-1].encode(),
            _geometry(max(1, (size - 300) // _CUBOID), iso=iso, seed=seed),
        )
    )


def shapes(annotation: Annotation, size: int) -> Any:
    """Return an annotation's content in the format of the first API: shapes as GeoJSON."""
    if annotation.body is not None:
        return msgspec.Raw(annotation.body)
    dice = random.Random(annotation.number)
    names = [f"shape-{number}" for number in range(max(1, size // 180))]
    return {
        "shapes": {
            "CAM": {
                "type": "FeatureCollection",
                "features": [
                    {
                        "id": name,
                        "geometry": {"type": "Point", "coordinates": [round(dice.random() * 1920, 2), 540.0]},
                        "properties": {},
                    }
                    for name in names
                ],
            }
        },
        "shapeProperties": {name: {"class": "car", "occluded": False} for name in names},
        "properties": {"annotation": annotation.number},
    }


@lru_cache
def _geometry(cuboids: int, *, iso: bool, seed: int) -> bytes:
    dice = random.Random(cuboids + (seed << 32))
    names = [str(UUID(int=dice.getrandbits(128))) for _ in range(cuboids)]
    objects = {name: {"name": name, "type": dice.choice(("Car", "Fußgänger", "Truck"))} for name in names}
    frame = {name: {"object_data": {"cuboid": [_cuboid(dice, iso=iso)]}} for name in names}
    geometry = {
        "coordinate_systems": {"lidar": {"type": "sensor", "parent": "", "children": []}},
        "frames": {"0": {"frame_properties": {"timestamp": 0, "external_id": "0"}, "objects": frame}},
        "objects": objects,
        "streams": {"lidar": {"type": "lidar"}},
    }
    return json.dumps(geometry, ensure_ascii=False)[1:-1].encode()


def _cuboid(dice: random.Random, *, iso: bool) -> dict[str, Any]:
    x, y, z = (round(dice.uniform(-80, 80), 3) for _ in range(3))
    # Kognic's own frame looks along y, ISO 8855 along x: a quarter turn about z.
    centre, turn = ([y, -x, z], [0.0, 0.0, -0.70710678, 0.70710678]) if iso else ([x, y, z], [0.0, 0.0, 0.0, 1.0])
    extent = [4.2, 1.8, 1.5] if iso else [1.8, 4.2, 1.5]
    return {
        "name": f"cuboid-{dice.getrandbits(32):08x}",
        "coordinate_system": "lidar",
        "val": [*centre, *turn, *extent],
    }
