"""A whole fleet: its groups one after the other, what they measured together, and the shortest story of a loss."""

import multiprocessing
import random
from types import SimpleNamespace

from .machine import Machine
from .measure import Measures
from .others import Attacker, Operator, Thief
from .pruner import Pruner
from .settings import CHUNK, DAY, FIRST_BYTES, INDEX_ROW, SLOTS
from .store import Root, Thing
from .world import Shared, World

SEEDS, ATTACKERS, SUCCESSORS = 10 ** 8, 2 * 10 ** 8, 3 * 10 ** 8
COMMON = SLOTS * 4 // 5


def make_group(settings, shared, number, trace=None):
    """A group with its machines, pruners and whoever else acts there, ready to run."""
    world = World(settings, shared, number, trace)
    store, rng = world.store, world.rng
    if rng.random() < settings.seeded:
        plant_seed(world, SEEDS + number)
    first = number * settings.group_size
    last = min(first + settings.group_size, settings.machines)
    machines = [Machine(world, machine) for machine in range(first, last)]
    for machine in machines:
        world.begin(machine, 0.0)

    def successor(machine):
        world.order += 1
        return Machine(world, SUCCESSORS + number * 10 ** 5 + world.order % 10 ** 5, machine)

    world.begin(Pruner(world, 1), 0.0)
    if rng.random() < settings.two_pruners:
        world.begin(Pruner(world, 2), 0.0)
    if settings.replaced or settings.new_epoch or settings.steward_ended:
        world.begin(Operator(world, machines, successor), 0.0)
    for machine in list(machines):
        draw = random.Random(f"{settings.seed} hostile {machine.number}").random()
        if draw < settings.attackers:
            world.begin(Attacker(world, ATTACKERS + machine.number), 0.0)
        elif draw < settings.attackers + settings.stolen:
            world.begin(Thief(world, machine), 0.0)
    return world


def plant_seed(world, writer):
    """A golden image that an identity has verified: its content may be cited by the whole group."""
    store = world.store
    index = Thing(store.next(), "x", writer, 0.0, (), FIRST_BYTES // CHUNK * INDEX_ROW)
    volumes = []
    content = []
    for _ in range(COMMON):
        content.append(store.next())
        volume = Thing(store.next(), "v", writer, 0.0, (content[-1],), FIRST_BYTES // SLOTS, 6)
        volume.index = index
        volumes.append(volume)
    for thing in volumes + [index]:
        store.add(thing)
    root = Root(store.next(), writer, writer, 1, tuple(volumes + [index]), 0.0)
    store.put_root(root, True)
    store.put_root(root, False)
    store.seeds.append(SimpleNamespace(root=root, writer=writer, content=content, index=index, bytes=FIRST_BYTES))
    store.seed_volumes.extend(volumes)


def run_group(job):
    """One group to its end; what of it crosses between processes."""
    settings, number = job
    world = make_group(settings, Shared(settings), number).run()
    store, measures = world.store, world.measures
    kept = sum(thing.bytes for thing in store.unnamed)
    measures.events["GB unnamed at the end"] += kept / 1e9
    measures.events["GB at the end"] += sum(thing.bytes for own in store.things.values() for thing in own) / 1e9
    measures.events["images at the end"] += sum(1 for own in store.roots.values() for root in own if root.first and root.counts and root.ours)
    losses = [
        (root.began if root else thing.born, at, number, thing.id, what) for at, thing, root, what in store.losses]
    return measures, losses


def run_fleet(settings, jobs=1):
    """All groups; the same for the same settings, whatever the number of processes."""
    groups = [(settings, number) for number in range(-(-settings.machines // settings.group_size))]
    total, losses = Measures(), []
    if jobs > 1 and len(groups) > 1:
        with multiprocessing.Pool(jobs) as pool:
            results = pool.imap(run_group, groups, chunksize=max(1, len(groups) // (jobs * 8)))
            for measures, lost in results:
                total.merge(measures)
                losses += lost
    else:
        for group in groups:
            measures, lost = run_group(group)
            total.merge(measures)
            losses += lost
    return total, losses


def story(settings, losses):
    """The shortest way to a loss, told by running its group once more: what touched the object that is gone, and who slept."""
    began, at, number, thing, what = min(losses, key=lambda loss: (loss[1] - loss[0], loss[1]))
    trace = []
    world = make_group(settings, Shared(settings), number, trace)
    world.run()
    touched = [(when, who, said) for when, who, said, about in trace if when <= at and any(t.id == thing for t in about)]
    actors = {who for _, who, _ in touched}
    first = min((when for when, _, _ in touched), default=began)
    lines = []
    for when, who, said, about in trace:
        if when > at:
            break
        if any(t.id == thing for t in about):
            lines.append((when, who, said))
        elif who in actors and not about and first - 60 <= when and said != "a run starts" and (
                who.startswith("machine") or " for " in said):
            lines.append((when, who, said))
        elif said.startswith("begins epoch") and first <= when and "newer-epoch-passed-over" in settings.weak:
            lines.append((when, who, said))
    kind = "on a store that checks dates" if world.store.dated else "on a store that checks no dates (SFTP)"
    extra = [kind]
    if world.store.delay:
        extra.append("listings a minute late")
    if world.store.may_delete:
        extra.append("machines may remove what is theirs")
    told = [f"group {number}, {', '.join(extra)}; {len(losses)} losses in the whole fleet, this one the quickest"]
    for when, who, said in shorten(lines):
        told.append(f"  day {when / DAY:7.3f}  {who}: {said}" if when is not None else f"  {said}")
    told.append(f"  day {at / DAY:7.3f}  LOST: {what}")
    return told


def shorten(lines, most=24):
    """The beginning and the end of a story that is long."""
    if len(lines) <= most:
        return lines
    return lines[:6] + [(None, "", f"… {len(lines) - most} more …")] + lines[6 - most:]
