"""Who else acts: an attacker with a writer's key, one with a stolen key, an operator who replaces machines and changes keys."""

import random

from .settings import DAY, HOUR
from .store import Root, Thing, Tomb


class Actor:
    """Acts at once, now and then."""

    def __init__(self, world, name):
        self.world, self.name = world, name
        self.rng = random.Random(f"{world.settings.seed} {name} {world.number}")
        self.cut = float("inf")
        self.gen = None

    def life(self):
        while True:
            yield self.rng.expovariate(1 / self.every) + 1
            self.act()


class Attacker(Actor):
    """Holds the key of one writer, creates below it whatever it likes, and deletes nothing."""

    every = DAY / 2

    def __init__(self, world, writer):
        super().__init__(world, f"attacker {writer}")
        self.writer = writer
        self.sequence = 0

    def act(self):
        store, rng, world = self.world.store, self.rng, self.world
        draw = rng.random()
        world.measures.events["an attacker's objects"] += 1
        if draw < 0.3:
            self.thing(1 << 30)
            return
        if draw < 0.8:
            # Others' volumes, also such as are condemned or gone: he may have seen their names before.
            victims = [thing for own in store.things.values() for thing in list(own)[-20:]]
            victims += [thing for tomb in store.tombs[-5:] for thing in tomb.things]
            things = tuple(rng.sample(victims, min(len(victims), 25)))
        else:
            things = (self.thing(1 << 20),)
        self.sequence = rng.choice((self.sequence + 1, 2 ** 63))
        root = Root(store.next(), self.writer, f"attacker {self.writer}", self.sequence, things, world.now)
        root.ours = False
        if rng.random() < 0.3:
            root.counts = False  # of a series that it may not write, or with a signature that does not fit
            store.put_root(root, rng.random() < 0.5)
            store.invalid.setdefault(self.writer, set()).add(root)
        else:
            store.put_root(root, False)
        if world.trace is not None:
            world.tell(self.name, f"plants {root}", *things)

    def thing(self, size, writer=None, content=(), kind="v"):
        store = self.world.store
        thing = Thing(store.next(), kind, writer or self.writer, self.world.now, content, size)
        thing.poison = True
        store.add(thing)
        return thing


class Thief(Attacker):
    """Holds the key of a machine that goes on: plants roots below it, under the name that a cut run would have used where there is one."""

    every = DAY

    def __init__(self, world, machine):
        super().__init__(world, machine.writer)
        self.name = f"thief of {machine.name}"
        self.machine = machine

    def act(self):
        if not self.machine.ended or self.machine.run:
            return
        store, world = self.world.store, self.world
        volume = self.thing(60 << 20, content=tuple(self.machine.tree))
        volume.index = self.thing(8 << 10, kind="x")
        root = Root(store.next(), self.writer, self.machine.series, 1, (volume, volume.index), world.now)
        root.ours = False
        root.planted_for = self.machine.ended[-1]
        store.put_root(root, False)
        world.measures.events["roots planted with a stolen key"] += 1
        if world.trace is not None:
            world.tell(self.name, f"plants {root} under the name of a cut run", *root.things)


class Operator(Actor):
    """Replaces machines, begins new epochs, ends stewards."""

    every = DAY

    def __init__(self, world, machines, make):
        super().__init__(world, "operator")
        self.machines, self.make = machines, make

    def act(self):
        settings, rng, store, world = self.world.settings, self.rng, self.world.store, self.world
        if rng.random() < settings.new_epoch:
            store.epoch += 1
            world.measures.events["new epochs"] += 1
            if world.trace is not None:
                world.tell(self.name, f"begins epoch {store.epoch}")
        if rng.random() < settings.steward_ended:
            self.end_steward()
        for _ in range(len(self.machines)):
            if rng.random() < settings.replaced / 30:
                self.replace(rng.choice(self.machines))

    def end_steward(self):
        """Ends the first pruner's steward. What its tombstones condemned is stated anew first, or writers would cite it while a
        pruner that sleeps is about to remove it."""
        store, world = self.world.store, self.world
        ended = max((tomb.steward for tomb in store.tombs if tomb.steward[0] == 1), default=None)
        if ended is None or ended in store.ended_stewards:
            return
        if not world.settings.weakness("void-tombstones"):
            for tomb in [tomb for tomb in store.tombs if tomb.steward == ended]:
                again = Tomb((0, 0), tomb.place, store.epoch, world.now, [thing for thing in tomb.things if thing.there], tomb.bytes)
                store.put_tomb(again)
        store.ended_stewards.add(ended)
        store.new_record()
        world.measures.events["stewards ended"] += 1
        if world.trace is not None:
            world.tell(self.name, f"revokes steward {ended}: its tombstones condemn nothing any more",
                       *(thing for tomb in store.tombs if tomb.steward == ended for thing in tomb.things))

    def replace(self, machine):
        """Another machine takes the writer's place; the old one may sleep through that."""
        store, world = self.world.store, self.world
        if machine.is_replaced:
            return
        machine.is_replaced = True
        seen = {root for root in store.listed_roots([machine.writer])}
        successor = self.make(machine)
        store.revoke(machine.writer, seen)
        self.machines[self.machines.index(machine)] = successor
        world.measures.events["machines replaced"] += 1
        if world.trace is not None:
            world.tell(self.name, f"{successor.name} takes the place of {machine.name}")
        world.begin(successor, world.now + self.rng.uniform(0, 12) * HOUR)
