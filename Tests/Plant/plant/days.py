"""The days of the plant: what its machines do, what befalls them, and what the steward does."""
import time

from .box import BEGIN, DAY
from .machine import Outcome
from .theft import Theft


class Days:
    """`plan` says on which day what begins, and for how long."""

    def __init__(self, plant, days, looks, plan):
        self.plant, self.days, self.looks, self.plan = plant, days, looks, plan
        self.random, self.theft = plant.random, Theft(plant)
        plant.theft = self.theft
        self.suspended = None

    def run(self):
        for day in range(self.days):
            began = time.monotonic()
            self.befalls(day)
            for look in range(self.looks):
                self.plant.clock.go_on(BEGIN + day * DAY + look * DAY // self.looks + self.random.randrange(1800))
                self.look()
            for machine in self.at_work():
                self.plant.oracle.told(machine)
            if day % 7 == 6:
                self.govern()
            self.plant.report(day, time.monotonic() - began)
        self.last()

    def at_work(self):
        return [machine for machine in self.plant.machines if machine.is_on and machine is not self.suspended]

    # -- a look of the timer on each machine

    def look(self):
        plant, started = self.plant, []
        for machine in self.at_work():
            if self.random.random() < 0.4:
                machine.tree.change()
                plant.note(machine)
            started.append((machine, plant.clock.now, machine.start("schedule", "run")))
        victim = self.random.choice(started) if started and self.random.random() < self.plan["power"] else None
        if victim:
            time.sleep(self.random.random() * 0.9)
            self.power_loss(victim[0])
        for machine, began, process in started:
            if victim and victim[0] is machine:
                process.communicate()
                # A machine takes its time to start.
                plant.clock.go_on(plant.clock.now + 60)
                machine.switch_on()
            else:
                self.ended(machine, began, process)
        self.theft.look()

    def ended(self, machine, began, process):
        plant = self.plant
        outcome = Outcome(["schedule", "run"], process)
        plant.oracle.ran(machine, outcome, began, self.reasons(machine))
        if not machine.keeps:
            return
        # What it has made has to be known before a later run of its own removes it.
        for store in plant.stores:
            known = machine.record.get("stores", {}).get(store.name, {})
            if known.get("lastPruned", 0) >= int(began) and known.get("pruneStatus") == 0:
                self.thinned(machine, store)
            elif known.get("lastSuccess", 0) >= int(began):
                plant.oracle.look(store)

    def thinned(self, machine, store):
        """Its own images, as far as they are known, and what has come since of others."""
        oracle = self.plant.oracle
        known, found = oracle.images.get(store.name, {}), oracle.listed(store)
        series = f"{machine.host}/plc"
        oracle.pruned(store, {id: one for id, one in known.items() if one.series == series} | found, self.plant.policy, series)

    def power_loss(self, machine):
        machine.cut()
        self.plant.oracle.counts["power losses"] += 1

    def reasons(self, machine):
        plant = self.plant
        return [word for word, holds in (("line", plant.offsite.isolated), ("full", plant.nas.is_full)) if holds] + self.theft.reasons(machine)

    # -- what befalls the plant

    def befalls(self, day):
        plant = self.plant
        for begin, end in self.plan["line"]:
            if day in (begin, end):
                plant.offsite.isolate(day == begin)
        begin, end = self.plan["full"]
        if day == begin:
            plant.nas.fill()
        if day == end:
            plant.nas.enlarge()
        if day == self.plan["stolen"]:
            self.theft.steal()
        if day == self.plan["noticed"]:
            self.theft.revoke()
        if day == self.plan["retired"]:
            self.retired = next(machine for machine in plant.machines if machine.host == "pack-03")
            self.retired.cut()
            plant.machines.remove(self.retired)
        if day == self.plan["ended"]:
            self.end_series()
        for begin, end in self.plan["asleep"]:
            if day == begin:
                self.fall_asleep()
            if day == end and self.suspended:
                self.wake()

    def end_series(self):
        oracle = self.plant.oracle
        for store in self.plant.stores:
            before = oracle.look(store)
            outcome = self.plant.govern("retire", "pack-03/plc", "--from", store.name, "--after", self.plan["after"])
            oracle.must(outcome)
            oracle.images[store.name] = {id: image for id, image in before.items() if image.series != "pack-03/plc"}
            oracle.look(store)

    def fall_asleep(self):
        """A machine is suspended in the middle of a run, and the others go on."""
        self.suspended = next(machine for machine in self.plant.machines if machine.host == "press-01")
        self.suspended.tree.change()
        self.plant.note(self.suspended)
        self.slept = self.plant.clock.now
        self.process = self.suspended.start("schedule", "run", "plc")
        time.sleep(self.random.random() * 0.7)
        self.suspended.suspend()

    def wake(self):
        machine, self.suspended = self.suspended, None
        machine.resume(self.process)
        outcome = Outcome(["schedule", "run", "plc"], self.process)
        self.plant.oracle.ran(machine, outcome, self.slept, ["it slept"])
        print(f"woke up: {outcome}", flush=True)

    # -- what the steward does

    def govern(self):
        """Once a week. What machines that are gone have left behind is copied, too; then what the rules do not keep is removed."""
        plant, isolated = self.plant, self.plant.offsite.isolated
        if not isolated:
            plant.copy_all()
        plant.prune(plant.nas, reasons=["full"] if plant.nas.is_full else [])
        if not isolated:
            plant.prune(plant.offsite)

    def last(self):
        """Nobody writes any more; what the rules do not keep goes, and its room a grace later."""
        plant = self.plant
        plant.offsite.isolate(False)
        plant.nas.enlarge()
        for _ in range(3):
            self.look()
            plant.clock.go_on(plant.clock.now + DAY // 2)
        self.govern()
        for _ in range(3):
            plant.clock.go_on(plant.clock.now + 15 * DAY)
            for store in plant.stores:
                plant.oracle.must(plant.govern("prune", "--from", store.name))
        for store in plant.stores:
            self.nothing_else(store)
            plant.oracle.restore_all(store)

    def nothing_else(self, store):
        oracle = self.plant.oracle
        shown = self.plant.office.run("prune", "--from", store.name, "--identity", self.plant.steward, "--dry-run", "--json")
        for group in shown.json.get("groups", []):
            left = {name: group[name]["objects"] for name in ("freed", "condemned", "young", "waiting", "removable", "leftovers") if group[name]["objects"]}
            if left or group["heldBack"] or group.get("standsStill"):
                oracle.wrong(f"{store.name}: more than the images need is left in a group: {left} {group.get('standsStill')} {group['heldBack']}")
        oracle.must(shown)
        for words in (("verify", "--from", store.name, "--read-data"), ("store", "check", store.name)):
            self.plant.office.must(*words, "--quiet")
