"""The metrics of the daemon and of `--metrics-file`: names, types and labels that rules and dashboards may rely on."""

from collections.abc import Mapping

#: Labels by metric, for each type.
COUNTERS: Mapping[str, frozenset[str]] = {
    "syncer_items_total": frozenset({"sync_job", "result"}),
    "syncer_bytes_total": frozenset({"sync_job"}),
    "syncer_requests_total": frozenset({"platform", "class", "status"}),
    "syncer_retries_total": frozenset({"platform"}),
    "syncer_throttled_total": frozenset({"platform"}),
    "syncer_runs_total": frozenset({"sync_job", "code"}),
}
GAUGES: Mapping[str, frozenset[str]] = {
    "syncer_concurrency_limit": frozenset({"platform"}),
    "syncer_queue_bytes": frozenset({"sync_job"}),
    "syncer_run_active": frozenset({"sync_job"}),
    "syncer_owed_items": frozenset({"sync_job"}),
    "syncer_last_run_timestamp_seconds": frozenset({"sync_job"}),
    "syncer_last_run_exit_code": frozenset({"sync_job"}),
    "syncer_fresh_until_timestamp_seconds": frozenset({"sync_job"}),
    "syncer_next_run_timestamp_seconds": frozenset({"sync_job"}),
    "syncer_circuit_open": frozenset({"platform"}),
    "syncer_build_info": frozenset({"version"}),
}
HISTOGRAMS: Mapping[str, frozenset[str]] = {
    "syncer_commit_seconds": frozenset({"sync_job"}),
    "syncer_fetch_seconds": frozenset({"platform"}),
    "syncer_run_seconds": frozenset({"sync_job"}),
    "syncer_event_loop_lag_seconds": frozenset(),
}


def names(kind: str) -> frozenset[str]:
    """Return the metrics of a kind, `counter`, `gauge` or `histogram`, by the names that expressions begin with."""
    if kind == "histogram":
        return frozenset(f"{name}_bucket" for name in HISTOGRAMS)
    return frozenset(COUNTERS if kind == "counter" else GAUGES)


def series() -> Mapping[str, frozenset[str]]:
    """Return the names as they are scraped, with their labels."""
    buckets = {f"{name}_bucket": labels | {"le"} for name, labels in HISTOGRAMS.items()}
    rest = {f"{name}_{part}": labels for name, labels in HISTOGRAMS.items() for part in ("sum", "count")}
    return {**COUNTERS, **GAUGES, **buckets, **rest}
