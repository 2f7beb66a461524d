"""The configuration file: found, read, checked, and turned into plain values.

`app` and `cli` call `find` and `load`; plug-ins are known here only as a `Catalog`.
Never sends a request, never imports a platform or a sink, never reads a secret before it is used.
"""

from syncer.settings.catalog import Catalog, Configured, Job, Kind, Settings
from syncer.settings.daemon import FleetOptions
from syncer.settings.load import find, load
from syncer.settings.problems import Problem, SettingsRefused
from syncer.settings.publish import json_schema
from syncer.settings.schema import CommitOptions, JobOptions, LogOptions, ScheduleOptions, SelectOptions
from syncer.settings.secrets import available, resolve

__all__ = [
    "Catalog",
    "CommitOptions",
    "Configured",
    "FleetOptions",
    "Job",
    "JobOptions",
    "Kind",
    "LogOptions",
    "Problem",
    "ScheduleOptions",
    "SelectOptions",
    "Settings",
    "SettingsRefused",
    "available",
    "find",
    "json_schema",
    "load",
    "resolve",
]
