"""The plant with its policy: where all is right nothing is named; each fault of its stores is named, with its evidence, and nothing else is."""
import glob
import os
import re
import time

from . import oracle
from .box import DAY
from .machine import Machine
from .tree import Tree

MACHINES = ("press-01", "press-02", "pack-03")
SERIES = [f"{machine}/plc" for machine in MACHINES]
LONGEST = 120  # days that an image may be kept

# What has to be there; the words in braces are what a fault changes.
POLICY = """
[policy]
certificates = "{folder}/certificates"
drills = "{folder}/drills"
signers = "{folder}/signers"

[policy.line]
line = "Line 1"
machines = [{machines}]
series = ["*/plc"]
stores = ["nas", "offsite"]
copies = 2
sites = 2
offsite = true
age = "26h"
copy_age = "3d"
proven = "31d"
drilled = "90d"
keep = {{ daily = 3 }}
keep_at_most = "{longest}d"
recipients = 2
{lost}
media = {{ kinds = ["sftp", "{kind}"], capacity = "10MB", age = "3y", custody = true, certificates = true }}

[media.nas-disk]
store = "nas"
since = "{since}"
custody = "rack of hall 2, A. Berg"

[media.offsite-disk]
store = "offsite"
since = "2031-01-01"
custody = "head office, B. Ott"
{retired}
"""
RETIRED = '\n[media.old-disk]\nserial = "S-0815"\nsince = "2028-01-01"\nended = "2031-09-01"\n'


def all_of(rule, *subjects):
    return {f"{rule} of {subject}" for subject in subjects}


class Inspection:
    """`Tests/Plant/run --policy`."""

    def __init__(self, plant):
        self.plant, self.oracle, self.clock = plant, plant.oracle, plant.clock
        self.folder = os.path.join(plant.folder, "inspection")
        self.counts = {"checks of the policy": 0, "faults named": 0, "lines that hold": 0, "lines that name a fault": 0}
        self.reports, self.thief = 0, None
        self.words = {"since": "2031-01-01", "site": "head office", "retired": "", "lost": "", "machines": MACHINES, "kind": "other"}
        for name in ("drills", "certificates"):
            os.makedirs(os.path.join(self.folder, name))

    # -- the policy, and what it says

    def ask(self, **changes):
        """What of the policy is another from now on."""
        self.words |= changes
        words = dict(self.words, folder=self.folder, longest=LONGEST, machines=", ".join(f'"{name}"' for name in self.words["machines"]))
        plant, site = self.plant, words["site"]
        stores = plant.nas.table + 'site = "hall 2"\n' + plant.offsite.table + f'site = "{site}"\noffsite = true\n'
        plant.office.write("config.toml", stores + POLICY.format(**words))

    def look(self):
        outcome = self.plant.office.run("policy", "check", "--identity", self.plant.steward, "--json")
        self.counts["checks of the policy"] += 1
        return outcome, outcome.json.get("lines", [])

    def check(self, what, fails=(), unknown=(), evidence=None):
        """Names exactly these, with their evidence: `evidence` says for each rule which stores that is of, where any will not do."""
        outcome, lines = self.look()
        named = {verdict: {f"{line['rule']} of {line['subject']}" for line in lines if line["verdict"] == verdict}
                 for verdict in ("fails", "could not be looked at", "holds")}
        wanted = {"fails": set(fails), "could not be looked at": set(unknown)}
        for verdict, these in wanted.items():
            for line in sorted(these - named[verdict]):
                self.oracle.wrong(f"{what}: not named: {verdict}: {line}")
            for line in sorted(named[verdict] - these):
                self.oracle.wrong(f"{what}: named, and should not be: {verdict}: {line}: {[one['found'] for one in lines if line.endswith(one['subject'])]}")
        status = 1 if unknown else 3 if fails else 0
        if outcome.status != status or not lines:
            self.oracle.wrong(f"{what}: status {outcome.status} in the place of {status}: {outcome}")
        for line in lines:
            if line["verdict"] == "fails":
                self.has_evidence(what, line, (evidence or {}).get(line["rule"]))
        self.counts["lines that hold"] += len(named["holds"])
        self.counts["lines that name a fault"] += len(named["fails"])
        self.counts["faults named"] += 1 if fails or unknown else 0
        print(f"{oracle.text(self.clock.now)}  {what}: status {outcome.status}, {len(named['holds'])} hold; "
              + ("; ".join(sorted(named["fails"] | named["could not be looked at"])) or "nothing is named"), flush=True)

    def has_evidence(self, what, line, stores):
        found = {one["store"] for one in line["evidence"] if one.get("store")}
        if not line["required"] or not line["found"]:
            self.oracle.wrong(f"{what}: neither what is required nor what was found: {line}")
        if stores is not None and found != set(stores):
            self.oracle.wrong(f"{what}: the evidence is of {sorted(found)}, and not of {sorted(stores)}: {line}")
        if stores is None and not any(one.get("store") or one.get("text") or one.get("time") for one in line["evidence"]):
            self.oracle.wrong(f"{what}: without evidence: {line}")

    # -- what goes on in the plant

    def runs(self, *hosts):
        """Their jobs, after something has changed there."""
        for machine in self.plant.machines:
            if not hosts or machine.host in hosts:
                machine.tree.change()
                self.plant.note(machine)
                machine.must("schedule", "run", "plc")

    def pass_days(self, days, *hosts):
        """Each machine, or these, have their run at the end of each day."""
        for _ in range(days):
            self.clock.go_on(self.clock.now + DAY)
            self.runs(*hosts)

    def office(self, *words):
        return self.plant.office.must(*words, "--identity", self.plant.identity, "--yes", "--quiet")

    def prove(self):
        """Everything is read, which the copy is told, too."""
        self.office("verify", "--from", "nas", "--read-data", "--share")
        self.plant.copy_all()

    def drill(self):
        """Each series is restored whole, and that is signed."""
        for series in SERIES:
            self.reports += 1
            report = os.path.join(self.folder, "drills", f"{self.reports}.json")
            self.plant.office.must("drill", "latest", "--from", "nas", "--series", series, "--kind", "full", "--scratch", self.folder, "--report", report,
                                   "--identity", self.plant.identity, "--quiet")
        self.sign()

    def sign(self):
        """Whoever signs here is known: the office's own keys."""
        keys = sorted(set(glob.glob(f"{self.plant.office.folder}/**/key.pub", recursive=True)))
        with open(os.path.join(self.folder, "signers"), "w") as signers:
            for key in keys:
                with open(key) as file:
                    signers.write(file.read())

    def person(self, name):
        """Somebody with an identity; his recipient."""
        file = os.path.join(self.folder, f"{name}.txt")
        self.plant.office.must("key", "generate", "--output", file, "--quiet")
        with open(file) as text:
            return re.search(r"age1[a-z0-9]+", text.read()).group()

    def change_keys(self, verb, recipient):
        self.office("key", verb, recipient, "--to" if verb == "add" else "--from", "nas")
        self.plant.copy_all()

    # -- what is shown

    def run(self):
        began = time.monotonic()
        self.begin()
        for fault in (self.line_down, self.copy_missing, self.too_near, self.machine_gone, self.media, self.drill_overdue, self.one_recipient, self.stranger,
                      self.kept_too_long, self.identity_lost):
            fault()
            self.check("all is right again")
        self.pages()
        print(f"{time.monotonic() - began:.0f} s for all that", flush=True)
        self.oracle.counts = self.counts

    def begin(self):
        self.spare = self.person("spare")
        self.runs()
        self.change_keys("add", self.spare)
        self.prove()
        self.drill()
        self.ask()
        outcome, _ = self.look()
        kinds = {one["name"]: (one.get("medium") or {}).get("kind") for one in outcome.json.get("stores", [])}
        self.ask(kind=kinds.get("offsite") or "other")
        self.check("all is right")

    def line_down(self):
        self.plant.offsite.isolate(True)
        away = all_of("copies", *SERIES) | all_of("apart", *SERIES) | all_of("offsite", *SERIES) | all_of("retention", *SERIES)
        self.check("the line is down", unknown=away | {"store of offsite", "recipients of offsite", "media of offsite"})
        self.plant.offsite.isolate(False)

    def copy_missing(self):
        """What one machine has made for days is on the NAS alone."""
        lonely = next(machine for machine in self.plant.machines if machine.host == "press-02")
        for _ in range(4):
            self.pass_days(1, "press-01", "pack-03")
            lonely.tree.change()
            self.plant.note(lonely)
            lonely.must("backup", lonely.tree_path, "--to", "nas", "--series", "press-02/plc", "--quiet")
        self.check("a copy is missing", all_of("copies", "press-02/plc") | all_of("apart", "press-02/plc") | all_of("offsite", "press-02/plc"),
                   evidence={"copies": {"nas", "offsite"}, "apart": {"nas", "offsite"}, "offsite": {"offsite"}})
        self.runs("press-02")

    def too_near(self):
        self.ask(site="hall 2")
        self.check("a copy is too near", all_of("apart", *SERIES), evidence={"apart": {"nas", "offsite"}})
        self.ask(site="head office")

    def machine_gone(self):
        self.pass_days(2, "press-02", "pack-03")
        self.check("a machine is gone", all_of("age", "press-01/plc"))
        self.runs("press-01")

    def media(self):
        self.ask(since="2028-01-01")
        self.check("a medium is too old", all_of("media", "nas-disk"), evidence={"media": {"nas"}})
        self.ask(since="2031-01-01", retired=RETIRED)
        self.check("a medium is out of use, and nobody says how it ended", all_of("media", "old-disk"), evidence={"media": set()})
        self.plant.office.must("certificate", "record", "--level", "destroy", "--certificate", f"{self.folder}/certificates/old.json", "--field", "serial=S-0815",
                               "--field", "technique=shredded", "--field", "witness=B. Ott", "--field", "operator.name=A. Berg", "--quiet")
        self.sign()

    def drill_overdue(self):
        """A quarter of a year goes by, of which the last days are as the first were."""
        self.clock.go_on(self.clock.now + 91 * DAY)
        self.pass_days(1)
        self.prove()
        self.check("a drill is overdue", all_of("drilled", *SERIES))
        self.drill()

    def one_recipient(self):
        self.change_keys("remove", self.spare)
        self.check("one recipient only", {"recipients of nas", "recipients of offsite"})
        self.spare = self.person("other")
        self.change_keys("add", self.spare)

    def stranger(self):
        plant = self.plant
        self.thief = Machine(plant, "thief")
        plant.configure(self.thief)
        self.thief.must("store", "join", "nas", "--identity", plant.identity, "--quiet")
        Tree(self.thief.tree_path, plant.random)
        self.thief.must("backup", self.thief.tree_path, "--to", "nas", "--series", "thief/plc", "--quiet")
        self.thief.cut()
        self.check("a stranger in the store", {"unknown machine of thief"}, evidence={"unknown machine": {"nas"}})
        self.pass_days(3)
        self.oracle.must(plant.govern("retire", "thief/plc", "--from", "nas", "--after", "1d"))

    def kept_too_long(self):
        """What nobody has thinned out, and then what was condemned and never removed."""
        self.clock.go_on(self.clock.now + 30 * DAY)
        self.pass_days(1)
        self.prove()
        self.check("a retention is exceeded", *self.too_old())
        for store in self.plant.stores:
            self.oracle.must(self.plant.govern("prune", "--from", store.name, "--keep-daily", "4"))
        self.check("what is too old is no image any more")
        self.clock.go_on(self.clock.now + 40 * DAY)
        # The third machine removes its own, and with them what is condemned: it rests meanwhile.
        self.pass_days(1, "press-01", "press-02")
        self.prove()
        self.check("what was condemned is there for more than a month", {"retention of nas", "retention of offsite", "age of pack-03/plc"})
        self.runs("pack-03")
        for store in self.plant.stores:
            self.oracle.must(self.plant.govern("prune", "--from", store.name))

    def too_old(self):
        """By the list of images: the series that have one that is kept for too long, and where."""
        bound = self.clock.now - LONGEST * DAY
        old = {(image.series, store.name) for store in self.plant.stores for image in self.oracle.listed(store).values() if image.said < bound}
        if not old:
            self.oracle.wrong("no image is as old as a test needs it")
        return all_of("retention", *{series for series, _ in old}), ()

    def identity_lost(self):
        lost = self.person("lost")
        self.change_keys("add", lost)
        self.check("a third person has an identity")
        self.ask(lost=f'lost = ["{lost}"]')
        self.check("an identity is lost", {"recipients of nas", "recipients of offsite"})
        self.change_keys("remove", lost)

    def pages(self):
        """Both pages of a plant that is right."""
        page, plant = os.path.join(self.folder, "policy.html"), os.path.join(self.folder, "plant.html")
        self.plant.office.must("policy", "check", "--identity", self.plant.steward, "--output", page, "--quiet")
        self.plant.office.must("report", "--identity", self.plant.steward, "--output", plant, "--quiet")
        for file, words in ((page, "rules hold."), (plant, "3, all as it has to be")):
            with open(file) as text:
                if words not in text.read():
                    self.oracle.wrong(f"{file} does not say: {words}")
