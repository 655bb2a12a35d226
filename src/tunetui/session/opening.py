"""From a command line to a plan: files loaded, the device found, the trials resolved."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunetui.core.errors import InputError, TunetuiError
from tunetui.core.models import device_id
from tunetui.core.routes import LOCAL
from tunetui.session.agents import states_on
from tunetui.session.building_here import BuildingHere
from tunetui.session.completing import completion_of
from tunetui.session.delivery import languages_of, send_bundles
from tunetui.session.linking import LinkOptions, open_link
from tunetui.session.places import Group, Place, group_places
from tunetui.session.preparing import Preparing, prepared
from tunetui.session.probing import Found, choose_devices, probe, required_modules
from tunetui.session.spending import check_priced, prices_of
from tunetui.session.telling import kernel_spec
from tunetui.session.visiting import NO_HOPE, Arrival, Hope, Visited, Visits, let_go_of, newest
from tunetui.store.atomic import check_writable
from tunetui.store.definitions import load_definitions
from tunetui.store.runs import JOURNAL, run_id, runs_root
from tunetui_agent.messages import PROTOCOL, Device, RunSpec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from tunetui.core.asking import Asker
    from tunetui.core.definitions import Grid, Kernel
    from tunetui.core.events import Price
    from tunetui.engines.allowances import OnWait
    from tunetui.engines.channel import Link
    from tunetui.session.delivery import Arrived
    from tunetui.session.links import Links
    from tunetui.session.visiting import Completion
    from tunetui.store.definitions import Definitions

    Connect = Callable[[str], Awaitable[Link]]
    """A link to a host by its name."""


TOGETHER_SECONDS = 0.5
"""A run begins this much after its first host is ready; who comes later joins it."""


@dataclass(frozen=True)
class BatchOptions:
    """What the command line asked for."""

    grid_path: Path
    overrides: list[str] = field(default_factory=list)  # "axes.tile_size=16,32"
    output_stem: Path | None = None  # None: the grid file's name, in the working directory
    fresh: bool = False  # start over; the old journal is kept under another name
    retry_failed: bool = False  # rows that failed before are measured again
    build_jobs: int = 0  # 0: the agent decides
    command: str = ""  # as typed, for the record
    profile: str = ""  # whose hardware counters are read at the end: "leaders" | "all"; empty: nobody's
    artifacts: list[Path] = field(default_factory=list)  # bundles that `tunetui build` wrote
    hosts: list[str] = field(default_factory=list)  # where to measure, as named; none: this machine
    links: LinkOptions = field(default_factory=LinkOptions)
    preparing: Preparing = field(default_factory=Preparing)  # what to measure with there
    usd_per_hour: dict[str, float] = field(default_factory=dict)  # by host; "" for all that have no other price
    asker: Asker | None = None  # who answers what hosts and keys ask
    definitions: Definitions | None = None  # of a run that is taken up without its grid; None: they are read
    run: str = ""  # the name of the folder that the run is kept in; empty: that of the grid and the outputs
    together_seconds: float | None = TOGETHER_SECONDS  # that a host which is ready waits for others; None: for all
    dry_run: bool = False  # only to see what there is to do: neither the run's folder nor what is in it is touched
    on_wait: OnWait | None = (
        None  # told what a host is waited for, in words, whenever that lasts; of none when it is over
    )
    hope: Hope = field(default_factory=Hope)  # for hosts that do not answer; none where all are waited for

    @property
    def stem(self) -> Path:
        """Absolute path of the outputs, without their suffixes."""
        return (self.output_stem or Path(self.grid_path.name.removesuffix(".toml"))).absolute()


@dataclass(frozen=True)
class Opened:
    """Everything that a run needs before its first record."""

    options: BatchOptions
    grid: Grid
    kernel: Kernel
    groups: list[Group]
    arrived: list[Arrived] = field(default_factory=list)  # what the bundles brought, of one host
    said: list[str] = field(default_factory=list)  # of hosts and devices that take no part
    visits: Visits = field(default_factory=lambda: Visits({}, _nothing, NO_HOPE))  # hosts that are still on their way
    prices: dict[str, Price] = field(default_factory=dict)  # of all hosts, as far as they are known


async def open_groups(options: BatchOptions, links: Links, connect: Connect) -> Opened:
    """Load, visit all hosts at once, and plan with those that are ready; nothing is written but the agents' own archives.

    Hosts that are still on their way are in the answer's ``visits``, which is to be closed.

    Raises:
        InputError: a file or an option is wrong.
        TunetuiError: no host has such a device, or none answers; of one host, why.
    """
    definitions = options.definitions or load_definitions(options.grid_path, options.overrides)
    check_writable(options.stem)
    hosts = hosts_of(options, definitions.grid)
    prices = prices_of(hosts, options.usd_per_hour, options.preparing.settings)
    check_priced(definitions.grid.budget, hosts, prices)
    here = BuildingHere(
        definitions.grid, definitions.kernel, options.grid_path, options.preparing.on_progress, options.build_jobs
    )
    # What an earlier start left is taken up by a plan that lacks nothing.
    was_begun = (folder_of(options, definitions.grid) / JOURNAL).exists()
    waits = options.together_seconds is None or (was_begun and not options.fresh)
    ways = {host: partial(_visit, host, options, links, connect, here, waits=waits, lists=was_begun) for host in hosts}
    visits = Visits(ways, here.close, options.hope if options.together_seconds is not None else NO_HOPE)
    arrivals: list[Arrival] = []
    try:
        while True:
            arrivals = newest([*arrivals, *await _some(visits, options.together_seconds)])
            opened = _planned(options, definitions, visits, sorted(arrivals, key=lambda each: hosts.index(each.host)))
            if opened is not None:
                break
    except BaseException:
        await let_go_of(place for arrival in arrivals for place in arrival.places)
        await visits.close()
        raise
    said = [left_out(arrival.host, arrival.error, visits, links) for arrival in arrivals if arrival.error is not None]
    return dataclasses.replace(opened, prices=prices, said=said + opened.said)


def left_out(host: str, error: TunetuiError, visits: Visits, links: Links) -> str:
    """What is said of a host that takes no part; one that does not answer is tried again while the run goes on."""
    said = f"{host} takes no part: {error.message}"
    if visits.try_again(host, error):
        links.away(host, error.message)
        return f"{said}; it is tried again while the run goes on"
    links.dead(host, error.message)
    return said


def folder_of(options: BatchOptions, grid: Grid) -> Path:
    """Where the run is kept."""
    return runs_root() / (options.run or run_id(grid.name, options.stem))


def hosts_of(options: BatchOptions, grid: Grid) -> list[str]:
    """Where a run is to measure."""
    return list(dict.fromkeys(options.hosts or grid.hosts or [LOCAL]))


async def _some(visits: Visits, together_seconds: float | None) -> list[Arrival]:
    """Hosts until one is ready, and those that are so soon after it; None: all."""
    found = await visits.next(all_of_them=together_seconds is None)
    if any(arrival.places for arrival in found):
        found += await visits.next(together_seconds, all_of_them=True)
    return found


def _planned(
    options: BatchOptions, definitions: Definitions, visits: Visits, arrivals: Sequence[Arrival]
) -> Opened | None:
    """A run on the hosts that arrived; None where it takes more of them, and some are on their way."""
    errors = [arrival.error for arrival in arrivals if arrival.error is not None]
    places = [place for arrival in arrivals for place in arrival.places]
    wrong = next((error for error in errors if isinstance(error, InputError)), None)
    if wrong is not None:
        raise wrong
    if not places:
        if visits.expected:
            return None
        raise errors[0] if len(arrivals) == 1 else _nobody(arrivals)
    grid, kernel = definitions.grid, definitions.kernel
    try:
        with definitions.named():
            groups, unable = group_places(places, grid, kernel)
    except TunetuiError as error:
        if visits.expected and not isinstance(error, InputError):
            return None
        raise
    arrived = next((arrival.arrived for arrival in arrivals if arrival.arrived), [])
    return Opened(options, grid, kernel, groups, arrived, unable, visits)


async def _visit(
    host: str, options: BatchOptions, links: Links, connect: Connect, here: BuildingHere, *, waits: bool, lists: bool
) -> Visited:
    """The places of one host; unless it ``waits``, those that lack what is built for them here measure the rest first.

    One that ``lists`` says which agents are at work there: where it cannot, the run begins without it.
    """
    kernel, kind = here.kernel, here.grid.device or "cpu"
    if kind == "gpu" and host != LOCAL:
        here.begin(host, options.preparing.architecture(host))
    link = await connect(host)
    try:
        link = await prepared(link, kind, options.preparing, required_modules(kernel))
        arrived = await send_bundles(link, options.artifacts, kernel)
        found = await probe(link, required_modules(kernel), languages_of(arrived))
        devices = options.preparing.devices(host, choose_devices(found, kind))
        completion, later = completion_of(kind, link, here, found, devices, languages_of(arrived)), None
        if completion is not None and not waits and await completion.is_worth_beginning_without():
            found, later = completion.meanwhile, _complete(completion, link, kind, devices, arrived)
        elif completion is not None:
            found, more = await completion.completed()
            arrived += more
        listed = await states_on(link) if lists else None
    except BaseException:
        await link.close()
        raise
    links.ready(host)
    places = [dataclasses.replace(place, listed=listed) for place in _places(link, kind, devices, found, arrived)]
    return Visited(places, arrived, later)


async def _complete(
    completion: Completion, link: Link, kind: str, devices: Sequence[Device], arrived: Sequence[Arrived]
) -> Visited:
    found, more = await completion.completed()
    return Visited(_places(link, kind, devices, found, [*arrived, *more]), [*arrived, *more])


def _places(link: Link, kind: str, devices: Sequence[Device], found: Found, arrived: Sequence[Arrived]) -> list[Place]:
    toolchains, prebuilt, host = found.toolchains.get(kind, []), languages_of(arrived), link.host
    return [
        Place(link, host, dataclasses.replace(each, id=device_id(each, host)), each.id, toolchains, prebuilt)
        for each in devices
    ]


def connector(options: BatchOptions, links: Links) -> Connect:
    """How hosts are reached, as the options say."""
    return lambda host: open_link(host, options.links, options.asker, links.tell, links.wait)


async def let_go(groups: Iterable[Group]) -> None:
    """Close the links of all places."""
    await let_go_of(place for group in groups for place in group.places)


async def _nothing() -> None:
    """Visits that share nothing have nothing to let go of."""


def _nobody(arrivals: Sequence[Arrival]) -> TunetuiError:
    said = [f"{arrival.host} takes no part: {arrival.error.message}" for arrival in arrivals if arrival.error]
    return TunetuiError("no host could be used", hint="\n".join(said))


def run_spec(
    opened: Opened,
    group: Group,
    place: Place,
    run: str,
    deadline_seconds: float = 0.0,
    about: dict[str, Any] | None = None,
) -> RunSpec:
    """What the agent of a place is told of the run; the trials follow as commands."""
    return RunSpec(
        protocol=PROTOCOL,
        run=run,
        device=place.agent_device,
        kernel=kernel_spec(opened.kernel, place.device.kind, group.plan.axes),
        method=opened.grid.method,
        build_jobs=opened.options.build_jobs,
        agents_on_host=sum(each.host == place.host for other in opened.groups for each in other.places),
        prefer_prebuilt=place.prebuilt,
        profile=opened.options.profile,
        reliability=opened.grid.reliability,
        about=about or {},
        architecture=architecture_of(place.device),
        deadline_seconds=deadline_seconds,
    )


def architecture_of(device: Device) -> str:
    """What kernels for a GPU are built for; empty for a CPU, which only its own worker can describe."""
    return f"sm_{device.attributes['compute_capability']}" if device.kind == "gpu" else ""


def source_hashes(kernel: Kernel) -> dict[str, str]:
    """SHA-256 of every file of the kernel, by name."""
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(kernel.files.items())}
