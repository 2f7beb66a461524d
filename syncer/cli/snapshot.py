"""`syncer snapshot`: generations of a destination that stay as they are, under a name."""

from typing import Annotated

from cyclopts import Parameter

from syncer.cli.options import EVERYWHERE, Everywhere, Output
from syncer.cli.tree import family

app = family("snapshot")

Name = Annotated[str, Parameter(name="NAME", help="Letters, digits, dots, dashes and underscores.")]
Job = Annotated[
    str, Parameter(name="JOB", help="A job of the configuration, or where it stores: a folder, out.zip, s3://….")
]
Sink = Annotated[str | None, Parameter(metavar="NAME", help="Which sink, where the job has several.")]


@app.command(usage="Usage: syncer snapshot create NAME JOB [OPTIONS]")
async def create(
    name: Name,
    job: Job,
    /,
    *,
    at: Annotated[
        str | None, Parameter(metavar="GENERATION", help="Which generation. Default: the present one, as HEAD says.")
    ] = None,
    sink: Sink = None,
    here: Everywhere = EVERYWHERE,
) -> int:
    """Keep a generation as it is, under a name: nothing that it names is removed or rewritten.

    Only where what is stored is not replaced in place: `versions: keep`
    (prefix), `mode: append` or `delta` (zip).
    """
    from syncer.cli.exits import UsageError
    from syncer.cli.manifests import opened_manifest
    from syncer.cli.messages import say

    if at is not None and not at.isdecimal():
        raise UsageError(f"--at {at}: is no generation", hint="generations are numbers; `syncer changes` shows them")
    async with opened_manifest(here, job, sink) as told:
        made = await told.manifest.snapshots.create(name, None if at is None else int(at))
        say(f"snapshot {made.name} of {told.job}: generation {made.generation} stays as it is")
    return 0


@app.command(name="list", usage="Usage: syncer snapshot list JOB [OPTIONS]")
async def list_(job: Job, /, *, sink: Sink = None, output: Output = "table", here: Everywhere = EVERYWHERE) -> int:
    """List snapshots, oldest generation first."""
    from syncer.cli.manifests import opened_manifest
    from syncer.cli.tables import show
    from syncer.model.value import asdict

    async with opened_manifest(here, job, sink) as told:
        found = [asdict(each) for each in await told.manifest.snapshots.listed()]
        show(found, output, ("name", "generation", "at"), empty="there are no snapshots")
    return 0


@app.command(usage="Usage: syncer snapshot drop NAME JOB [OPTIONS]")
async def drop(name: Name, job: Job, /, *, sink: Sink = None, here: Everywhere = EVERYWHERE) -> int:
    """Keep a snapshot no longer. What only it named goes with the next `compact` or `retention`."""
    from syncer.cli.manifests import opened_manifest
    from syncer.cli.messages import say

    async with opened_manifest(here, job, sink) as told:
        await told.manifest.snapshots.drop(name)
        say(f"snapshot {name} of {told.job} is dropped")
    return 0
