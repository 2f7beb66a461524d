"""A worker that was forked from a process which had used a bucket is told so, instead of waiting for ever."""

import subprocess
import sys

CODE = """
import os, sys
from pathlib import Path
import anyio
from syncer.blobs.farewell import rest_at_exit
from syncer.blobs.roots import open_root
from syncer.model.errors import SettingsError

def used():
    try:
        anyio.run(open_root("s3://bucket/prefix", Path("/")).stat, "x")
    except SettingsError as error:
        print(error, flush=True)
        return 7
    except Exception:
        return 0

os.environ.update(AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b")
before = os.fork()
if before == 0:
    os._exit(0)
os.waitpid(before, 0)
rest_at_exit()
child = os.fork()
if child == 0:
    os._exit(used())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_worker_is_told() -> None:
    """The child of a process that had used a bucket is refused in words, with what to do."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 7, done.stderr
    assert "forked after a bucket had been used" in done.stdout
