"""A machine that is stolen: whoever has it pushes garbage with its key, until that is revoked; another one takes its place."""
import os
import random
import shutil

from . import tree
from .clock import text
from .tree import Tree


class Theft:
    def __init__(self, plant):
        self.plant, self.thief, self.revoked, self.counting = plant, None, False, set()

    def steal(self):
        plant = self.plant
        stolen = next(machine for machine in plant.machines if machine.host == "press-02")
        # By whole seconds, as its end is said; what it made itself is older.
        plant.clock.go_on(plant.clock.now + 60)
        self.since = int(plant.clock.now)
        stolen.tree = Tree(os.path.join(stolen.folder, "garbage"), random.Random(plant.random.random()))
        stolen.tree.version = 1_000_000
        stolen.tree.change()
        plant.configure(stolen, stolen.job.replace(stolen.tree_path, stolen.folder + "/garbage"))
        plant.machines.remove(stolen)
        plant.note(stolen)
        self.thief = stolen

    def look(self):
        """The thief adds one with each look, as long as the store takes them; and whatever it did, it is to change nothing later."""
        if not self.thief:
            return
        plant = self.plant
        if self.revoked and plant.random.random() > 0.05:
            return
        self.thief.tree.change()
        plant.note(self.thief)
        outcome = self.thief.run("schedule", "run", "plc")
        for store, known in self.thief.record.get("stores", {}).items():
            if known.get("image") and known.get("lastSuccess", 0) >= int(self.since):
                plant.oracle.disowned.add(known["image"])
        if self.revoked and self.thief.record["stores"]["nas"]["lastSuccess"] > self.ended:
            plant.oracle.wrong(f"the thief writes after its key was revoked: {outcome}")

    def revoke(self):
        """Somebody has noticed. The machine that replaces it begins with the last image of before."""
        plant, oracle = self.plant, self.plant.oracle
        oracle.look(plant.nas)
        self.revoked, self.ended = True, plant.clock.now
        plant.office.must("store", "revoke", "press-02", "--from", "nas", "--since", text(self.since), "--identity", plant.identity, "--yes", "--quiet")
        own = [image for image in oracle.images["nas"].values() if image.host == "press-02" and image.said < self.since]
        oracle.images["nas"] = {id: one for id, one in oracle.images["nas"].items() if one.host != "press-02" or one.said < self.since}
        oracle.look(plant.nas)
        self.counting = {image.id for image in own}
        # Until somebody has looked at what the copy alone has of that machine, no job goes on with it.
        if not plant.offsite.isolated:
            plant.copy_all()
            plant.prune(plant.offsite)
        plant.prune(plant.nas)
        newest = max(own, key=lambda image: image.said)

        def restored(machine):
            plant.office.must("restore", newest.id, "--from", "nas", "--to", machine.tree_path, "--quiet")
            oracle.compare("nas", newest, machine.tree_path)
            again = Tree.__new__(Tree)
            again.path, again.random = os.fsencode(machine.tree_path), random.Random(plant.random.random())
            again.version = 2_000_000
            again.change()
            return again

        plant.add("press-02", "12h", "", to=("nas", "local"), replaces="press-02", tree=restored)

    def may_be_behind(self):
        """Whether a copy may have forgotten images of the stolen machine lately, those that it alone had."""
        return self.revoked and self.plant.clock.now - self.ended < 60 * 86_400

    def reasons(self, machine):
        return ["revoked while the line was down"] if self.revoked and self.plant.copied < self.ended else []
