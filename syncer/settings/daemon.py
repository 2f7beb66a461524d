"""What the daemon is told besides its jobs: how it stops, what it may use, where it listens, who may look."""

from ipaddress import ip_address
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from syncer.net.options import SecretField
from syncer.settings.units import Duration, Options, Size


def _address(text: str) -> str:
    if text != "localhost":
        ip_address(text)
    return text


#: Address of this machine to listen on.
Address = Annotated[str, AfterValidator(_address)]
Port = Annotated[int, Field(ge=0, le=65_535)]


class OpsOptions(Options):
    """The listener of supervisors: probes and metrics. It shows counts and names of jobs, nothing else."""

    enabled: bool = Field(default=True, description="`false`: no probes, no metrics.")
    address: Address = Field(default="0.0.0.0", description="Address to listen on.")  # noqa: S104  # probes come from outside
    port: Port = Field(default=9464, description="Port; 0: any free one, which the log names.")


class UiOptions(Options):
    """The listener of people: the status page, the API, hooks."""

    enabled: bool = Field(default=True, description="`false`: no page, no API, no hooks.")
    address: Address = Field(
        default="127.0.0.1", description="Address to listen on. Beyond loopback a token is needed."
    )
    port: Port = Field(default=8464, description="Port; 0: any free one, which the log names.")
    token: SecretField | None = Field(
        default=None, description="What visitors have to show; needed beyond loopback, also for reading."
    )
    hosts: tuple[str, ...] = Field(
        default=(), description="Host names that the page is visited under, besides the address: `syncer.example.org`."
    )
    hook_secret: SecretField | None = Field(
        default=None, description="What a platform's webhook has to show. Left out: no hooks."
    )

    @property
    def loopback(self) -> bool:
        """Tell whether only this machine can reach it."""
        return self.address == "localhost" or ip_address(self.address).is_loopback

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if self.enabled and not self.loopback and self.token is None:
            message = f"token: is required where the page listens beyond loopback ({self.address})"
            raise ValueError(message)
        return self


class NotifyOptions(Options):
    """Somebody who is told of runs that ended, by `sync` and the daemon alike."""

    url: SecretField = Field(
        description="URL that the report is sent to: https, or http for loopback. `env:NAME` or `file:PATH`."
    )
    secret: SecretField | None = Field(
        default=None, description="Key of the signature: `whsec_…`, or any text. Left out: notices are not signed."
    )
    on: Literal["failure", "change", "always"] = Field(
        default="failure",
        description="Which runs: those that failed or owe items; those that changed a destination; all.",
    )
    allow_http: bool = Field(default=False, description="Accept plain http also where the host is not loopback.")


class ServeOptions(Options):
    """Where the daemon listens."""

    ops: OpsOptions = Field(default_factory=OpsOptions, description="Probes and metrics.")
    ui: UiOptions = Field(default_factory=UiOptions, description="Page, API and hooks.")


class DaemonOptions(Options):
    """How the daemon lives."""

    concurrency: int = Field(default=4, ge=1, description="Jobs that run at once.")
    grace: Duration = Field(
        default=20.0, gt=0, description="Longest time between SIGTERM and the end: what is in flight gets half of it."
    )
    memory_limit: Size | Literal["auto"] | None = Field(
        default="auto",
        description="Resident memory at which concurrency shrinks. `auto`: nine tenths of the control group's limit.",
    )
    stall_after: Duration = Field(
        default=600.0, gt=0, description="A run that does not move for so long is named, with what it waits for."
    )
    on_stall: Literal["report", "exit"] = Field(
        default="report", description="`exit`: end the process then, so that its supervisor starts it again."
    )


class FleetOptions(Options):
    """How workers of a fleet live and share the work."""

    concurrency: int = Field(default=4, ge=1, description="Units that one worker works on at once.")
    heartbeat: Duration = Field(default=10.0, ge=0.2, description="A worker says so often that it lives.")
    silent_after: Duration = Field(
        default=30.0, ge=1, description="A worker that was silent for so long is taken for dead: others do its work."
    )
    tick: Duration = Field(
        default=10.0, ge=1, le=60, description="Schedules, and the work of dead workers, are looked at so often."
    )
    window: int = Field(
        default=200, ge=1, le=500, description="Units of one run that wait in the queue at once; the rest follows."
    )
    manifest_every: Duration = Field(
        default=3.0, gt=0, description="`HEAD.json` of a job's manifest moves so often while many units are written."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.silent_after < 2 * self.heartbeat:
            message = "silent_after: at least two heartbeats have to be missed before a worker is taken for dead"
            raise ValueError(message)
        return self
