"""The plant: its clock, its machines and stores, and how they are set up."""
import os
import random
import shutil
import subprocess

from . import rules
from .clock import Clock
from .machine import Machine
from .oracle import Oracle
from .stores import CephOffsite, FolderOffsite, Nas
from .tree import Tree

DAY = 86_400
BEGIN = 1_948_665_600  # 2031-10-02: with the end of a year, weeks of two years, and a 29th of February before it is over

JOB = """[jobs.plc]
sources = ["{tree}"]
to = [{to}]
copy_to = ["offsite"]
every = "{every}"
{more}
"""


class Plant:
    def __init__(self, folder, program, seed, ceph, policy, nas_size):
        self.folder, self.program, self.policy = folder, program, policy
        self.random = random.Random(seed)
        os.chmod(folder, 0o711)
        self.clock = Clock(folder, BEGIN)
        self.oracle = Oracle(self)
        # What the toolchain of a debug build needs is said there.
        self.libraries = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
        self.theft, self.copied = None, 0
        self.machines, self.alive, self.changed = [], {}, {}
        self.nas = Nas(self, nas_size)
        self.offsite = CephOffsite(self) if ceph else FolderOffsite(self)
        self.stores = [self.nas, self.offsite]
        self.office = Machine(self, "office")
        self.configure(self.office)
        self.identity = os.path.join(self.folder, "office/etc/holdfast/identity.txt")
        self.steward = os.path.join(self.folder, "steward.key")
        self.office.must("store", "init", "nas", "--quiet")
        self.office.must("key", "steward", "--to", "nas", "--output", self.steward, "--quiet")
        self.add("press-01", "1d", 'window = "22:00-05:00"', group="line-1")
        self.add("press-02", "12h", "", to=("nas", "local"), group="line-1")
        # This one looks after its own images.
        keep = ", ".join(f"{kind} = " + (f'"{count}d"' if kind == "within" else str(count)) for kind, count in policy.items())
        self.add("pack-03", "1d", f'reread = "2w"\nverify = "20%"\nkeep = {{ {keep} }}', identity=self.identity)

    def configure(self, machine, *more, identity=None):
        own = f'identity = "{identity}"\n' if identity else ""
        local = f'[stores.local]\nurl = "{machine.folder}/local"\n'
        value = f'[status]\nvalue = "{machine.folder}/value"\n'
        machine.write("config.toml", own + self.nas.table + self.offsite.table + local + value + "".join(more))

    def add(self, name, every, more, to=("nas",), group=None, identity=None, replaces=None, tree=None):
        machine = Machine(self, name if not replaces else name + "-anew", host=name)
        machine.every = {"1d": DAY, "12h": DAY // 2}[every]
        machine.to, machine.keeps = to, identity is not None
        machine.job = JOB.format(tree=machine.tree_path, to=", ".join(f'"{store}"' for store in to), every=every, more=more)
        self.configure(machine, machine.job, identity=identity)
        words = ["--group", group] if group and not replaces else ["--replace", replaces] if replaces else []
        machine.must("store", "join", "nas", *words, "--identity", self.identity, "--quiet")
        if "local" in to:
            machine.must("store", "init", "local", "--quiet")
        machine.tree = tree(machine) if tree else Tree(machine.tree_path, random.Random(self.random.random()))
        self.machines.append(machine)
        self.note(machine)
        return machine

    # -- trees, and when each state of them was there

    def note(self, machine):
        key = (machine.host, machine.tree.version)
        self.oracle.note(machine.host, machine.tree)
        # By its own name: what the thief does to the stolen one is no change of the one in its place.
        before = self.alive.get(machine.name)
        if before is not None:
            self.changed[machine.host, before] = self.clock.now
        self.alive[machine.name] = key[1]

    def moved(self, host, version, moment):
        """Whether a state of a tree was not there yet at some moment, or not any more; a clock of whole seconds says when."""
        since = self.oracle.versions[host, version][1]
        return not since - 2 <= moment <= self.changed.get((host, version), self.clock.now) + 2

    # -- what the steward does

    def govern(self, *words):
        """A command of the office that may want a plan to be named: then somebody has looked at it."""
        outcome = self.office.run(*words, "--identity", self.steward, "--yes", "--quiet")
        if outcome.status == 4 and "--plan" in outcome.said:
            shown = self.office.run(*words, "--identity", self.steward, "--dry-run", "--json")
            outcome = self.office.run(*words, "--identity", self.steward, "--yes", "--quiet", "--plan", shown.json.get("plan", "none"))
        return outcome

    def copy_all(self):
        """What a writer whose right has ended has made, and what is offsite alone, counts no more there: somebody has looked at it."""
        self.oracle.must(self.office.run("copy", "--from", "nas", "--to", "offsite", "--yes", "--quiet", "--identity", self.identity))
        self.copied = self.clock.now

    def prune(self, store, reasons=()):
        before = self.oracle.look(store)
        outcome = self.govern("prune", "--from", store.name, *rules.words(self.policy))
        is_well = self.oracle.is_well(outcome)
        if not is_well and not reasons:
            self.oracle.wrong(f"office: without a reason: {self.oracle.unknown(outcome)} {outcome}")
        if is_well:
            self.oracle.pruned(store, before, self.policy)
        else:
            # What it has done of it is not known.
            self.oracle.images[store.name] = self.oracle.listed(store)

    def end(self):
        for machine in [*self.machines, self.office]:
            if machine.is_on:
                machine.cut()
        for store in self.stores:
            store.end()
        subprocess.run(["umount", "-l", self.nas.path], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
