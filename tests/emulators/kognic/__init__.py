"""Kognic for tests: all services on one origin, signed storage on another, in this process or in one of its own.

It answers what the vendor's client (kognic-io 2.19.0) reads, and has a switch where the vendor's documents are silent.
"""

from tests.emulators.kognic.platform import BATCH, PROJECT, TYPE, KognicPlatform
from tests.emulators.kognic.process import Remote, kognic_process

__all__ = ["BATCH", "PROJECT", "TYPE", "KognicPlatform", "Remote", "kognic_process"]
