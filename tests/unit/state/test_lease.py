"""Leases on files and in a process."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from syncer.model.errors import LeaseHeld, NotNow
from syncer.state.lease import FileLeases, Leases, ProcessLeases

#: Holds a lease until its standard input closes.
HOLDER = """
import sys
from pathlib import Path
from syncer.state.lease import FileLeases
lease = FileLeases(Path(sys.argv[1])).take("job", "unit 7", shared=sys.argv[2] == "shared")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["file", "process"])
def leases(request: pytest.FixtureRequest, tmp_path: Path) -> Leases:
    """Return leases of each kind."""
    return FileLeases(tmp_path / "leases") if request.param == "file" else ProcessLeases()


def holder(folder: Path, kind: str = "exclusive") -> subprocess.Popen[str]:
    """Start a process that holds a lease, and wait until it does."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def finish(process: subprocess.Popen[str]) -> None:
    """Kill a holder, and wait for its end."""
    process.kill()
    process.communicate()


def test_an_exclusive_lease_is_held_by_one(leases: Leases) -> None:
    """Until it is released, which may be said twice."""
    lease = leases.take("job", "unit 7")
    for shared in (False, True):
        with pytest.raises(LeaseHeld, match=r"unit 7 of job job is being worked on by pid \d+ on \S+ since"):
            leases.take("job", "unit 7", shared=shared)
    assert list(leases.holders("job")) == ["unit 7"]
    other = leases.take("other", "unit 7")
    lease.release()
    lease.release()
    assert leases.holders("job") == {}
    leases.take("job", "unit 7").release()
    other.release()


def test_shared_leases_exclude_an_exclusive_one(leases: Leases) -> None:
    """As long as one of them is held."""
    first, second = leases.take("job", "", shared=True), leases.take("job", "", shared=True)
    first.release()
    with pytest.raises(LeaseHeld, match="job job is being"):
        leases.take("job", "")
    second.release()
    leases.take("job", "").release()


def test_a_lease_dies_with_its_process_rule_5(tmp_path: Path) -> None:
    """Killed, not asked: the next one has it at once, and until then knows whom to ask."""
    process = holder(tmp_path)
    try:
        leases = FileLeases(tmp_path)
        with pytest.raises(LeaseHeld, match=f"pid {process.pid} on"):
            leases.take("job", "unit 7")
        assert leases.holders("job")["unit 7"].startswith(f"pid {process.pid} on")
    finally:
        finish(process)
    assert leases.holders("job") == {}
    leases.take("job", "unit 7").release()


def test_shared_leases_count_over_processes_rule_5(tmp_path: Path) -> None:
    """A shard in another process keeps the whole job out."""
    process = holder(tmp_path, "shared")
    try:
        leases = FileLeases(tmp_path)
        leases.take("job", "unit 7", shared=True).release()
        with pytest.raises(LeaseHeld):
            leases.take("job", "unit 7")
    finally:
        finish(process)
    leases.take("job", "unit 7").release()


def test_released_files_are_removed(tmp_path: Path) -> None:
    """A thousand units leave nothing behind."""
    leases = FileLeases(tmp_path)
    held = [leases.take("job", f"unit {number}") for number in range(20)]
    shared = [leases.take("job", "", shared=True) for _ in range(2)]
    assert len(list(tmp_path.iterdir())) == 21
    for lease in (*held, *shared):
        lease.release()
    assert list(tmp_path.iterdir()) == []


def test_one_of_many_takers_wins_each_time(tmp_path: Path) -> None:
    """Also while the file is removed and made again under them."""
    leases = FileLeases(tmp_path)
    inside, worst, turns = [0], [0], [0]
    guard = threading.Lock()

    def work() -> None:
        for _ in range(60):
            try:
                lease = leases.take("job", "unit 7")
            except LeaseHeld:
                continue
            with guard:
                inside[0] += 1
                turns[0] += 1
                worst[0] = max(worst[0], inside[0])
            with guard:
                inside[0] -= 1
            lease.release()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert worst[0] == 1
    assert turns[0] > 4


def test_a_stranger_in_the_folder_is_no_holder(tmp_path: Path) -> None:
    """Files with other content, or none, are looked over."""
    (tmp_path / "x.lock").write_bytes(b"\xff{")
    (tmp_path / "y.lock").write_bytes(b"[]")
    assert FileLeases(tmp_path).holders("job") == {}
    assert FileLeases(tmp_path / "nowhere").holders("job") == {}


def test_a_folder_that_takes_no_lease_is_named(tmp_path: Path) -> None:
    """A sentence, not a traceback."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotNow, match="no lease can be taken in"):
        FileLeases(tmp_path / "file").take("job", "unit 7")
