# SPDX-License-Identifier: GPL-3.0-or-later
"""What batches cost: going on, Ray, many machines, deaths. Imports the standard library only."""

from tools import environments
from tools.bench import child
from tools.bench.figures import Figure, spread
from tools.bench.setup import Setup

_SECONDS = 900.0  # that any of them may take


def batch_skip_s(setup: Setup) -> list[Figure]:
    """The command, from its start to its end, where 1,000 textures are made already."""
    count = 20 if setup.quick else 1000
    taken = child.call(setup.python, "batch_chain:skip", count, seconds=_SECONDS)
    return [Figure("batch_skip_s", min(taken), "s", 2.0, f"{spread(taken)} s for {count} textures")]


def batch_ray_over_loop(setup: Setup) -> list[Figure]:
    """A picture on one actor over one in the plain loop; both sleep, so it is what is beside the pictures."""
    python = environments.ensure(environments.RAY)
    count, seconds = (6, 0.1) if setup.quick else (60, 0.5)
    each = child.call(python, "batch_chain:overhead", count, seconds, seconds=_SECONDS)
    note = f"{1000 * (each['ray'] - each['loop']):.1f} ms more; {count} pictures that sleep for {seconds:g} s"
    return [Figure("batch_ray_over_loop", each["ray"] / each["loop"], "ratio", 1.03, note)]


def batch_clusters(setup: Setup) -> list[Figure]:
    """How far four machines with 4, 16 and 64 actors fall short of as many times one; all on this machine."""
    python = environments.ensure(environments.RAY)
    figures = []
    sleep, rounds = (0.2, 4) if setup.quick else (2.0, 7)
    for actors in (4,) if setup.quick else (4, 16, 64):
        got = child.call(python, "batch_chain:cluster", actors, rounds, sleep, seconds=_SECONDS)
        note = (
            f"efficiency {got['efficiency']:.3f}; pictures of {sleep:g} s; {got['start']:.0f} s to start, not counted"
        )
        figures.append(Figure(f"batch_clusters.of_{actors}", 1 / got["efficiency"], "ratio", 1 / 0.95, note))
    worst = max(figure.value or 0.0 for figure in figures)
    return [Figure("batch_clusters", worst, "ratio", 1 / 0.95, "all the work over what was done"), *figures]


def batch_kills(setup: Setup) -> list[Figure]:
    """Of 1,000 textures, how many are missing, twice or broken after 50 kills."""
    python = environments.ensure(environments.RAY)
    count, ends = (40, 2) if setup.quick else (1000, 50)
    got = child.call(python, "batch_chain:kills", count, ends, 0.05, 4, seconds=1200.0)
    wrong = abs(count - got["made"]) + abs(count - got["listed"]) + got["twice"]
    note = (
        f"{got['made']} made, {got['listed']} listed, {got['twice']} twice; {got['killed']} kills, "
        f"{got['starts']} starts, {got['begun']} pictures begun"
    )
    return [Figure("batch_kills", wrong, "wrong", 0, note)]


def batch_two_actors(setup: Setup) -> list[Figure]:
    """The time of the starter's textures on two actors of one thread, over half of that on one."""
    count = 4 if setup.quick else 24
    one, two = (child.call(setup.python, "batch_chain:starter", count, actors, seconds=_SECONDS) for actors in (1, 2))
    note = f"{two / one:.2f} times as many; {one:.2f} and {two:.2f} textures a second"
    figures = [Figure("batch_two_actors", 2 * one / two, "ratio", 2 / 1.9, note)]
    each = child.call(setup.python, "batch_chain:starter_overhead", count, seconds=_SECONDS)
    note = f"loop {each['loop']:.3f} s, one actor {each['ray']:.3f} s; starter, one thread"
    return [*figures, Figure("batch_two_actors.ray_over_loop", each["ray"] / each["loop"], "ratio", 1.03, note)]
