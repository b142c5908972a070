"""What is known of every state of every tree and every image, apart from Holdfast; and what has to hold by that."""
import calendar
import concurrent.futures
import os
import re
import shutil
import time

from . import rules, tree
from .clock import text


# What the program says where it ought to do something about it, or say nothing. It is counted, and is no reason to fail: images of a revoked
# writer stay listed for ever; a job that removes its own is told of another group whose first backup is under way.
KNOWN = re.compile(r"its writer's right to write has been revoked|nothing is removed of \d+ writers? that")
# What goes with it, and is nothing.
BESIDE = re.compile(r"^hint: |^warning: the run of plc of \S+ did not come to its end, since the machine stopped$"
                    r"|^warning: series \S+: numbers? .* of its images (is|are) not there: removed, or not chosen when this copy was made$")

# Of images that the copy never had: the line was down when they were made, or the power went before they were copied.
BEHIND = re.compile(r"not there: (it was )?removed, or this is a copy that is behind, which `holdfast copy` brings up to date")


def seconds(moment):
    return calendar.timegm(time.strptime(moment, "%Y-%m-%dT%H:%M:%SZ"))


class Oracle:
    def __init__(self, plant):
        self.plant, self.problems = plant, []
        # By host and number: (fingerprint, since when).
        self.versions = {}
        self.images = {}  # of each store by its name: those that are to be there, by their ids
        self.successes = {}  # by store: ids that a record calls made
        self.seen = set()
        self.disowned = set()  # of a thief
        self.counts = {"runs": 0, "runs that made something": 0, "power losses": 0, "failures with a reason": 0, "checks": 0, "prunes": 0,
                       "images seen": 0, "images removed": 0, "status 3 for what is known": 0, "restored": 0}

    def wrong(self, sentence):
        self.problems.append(sentence)
        print(f"WRONG  {text(self.plant.clock.now)}  {sentence}", flush=True)

    def must(self, outcome, name="office"):
        if not self.is_well(outcome):
            self.wrong(f"{name}: {self.unknown(outcome)} {outcome}")
        return outcome

    def unknown(self, outcome):
        """The lines that tell neither of what is known nor of nothing."""
        lines = outcome.said.splitlines() + [one["reason"] for one in outcome.json.get("findings", [])]
        return [line for line in lines if line.strip() and not KNOWN.search(line) and not BESIDE.search(line)
                and not (" offsite" in outcome.words and self.is_behind(line))]

    def is_behind(self, line):
        """Whether it names images that were never seen offsite, and no other."""
        named = re.findall(r"\b[0-9a-f]{8}\b", line) if BEHIND.search(line) else []
        return named != [] and not any(id.startswith(f"offsite{short}") for short in named for id in self.seen)

    def is_well(self, outcome):
        """Whether it succeeded, or has nothing to say but what is known."""
        if outcome.status == 0:
            return True
        known = outcome.status == 3 and not self.unknown(outcome)
        self.counts["status 3 for what is known"] += 1 if known else 0
        return known

    # -- trees

    def note(self, host, own):
        self.versions[host, own.version] = (tree.fingerprint(own.path, self.plant.clock), self.plant.clock.now)

    def compare(self, store, image, path):
        """Whether a restored tree is one that was there when its image was made."""
        number = tree.version(path)
        known = self.versions.get((image.host, number))
        if known is None:
            return self.wrong(f"{store}: image {image.id} restores as no state of {image.host}: version {number}")
        if self.plant.moved(image.host, number, image.said):
            self.wrong(f"{store}: image {image.id} of {text(image.said)} has version {number}, which was not there then")
        found = tree.fingerprint(path, self.plant.clock)
        if found != known[0]:
            other = [line for line in found if line not in known[0]][:3] + [line for line in known[0] if line not in found][:3]
            self.wrong(f"{store}: image {image.id} of {image.host}, version {number}, restores otherwise: {other}")

    # -- images

    def listed(self, store):
        """Every image that is listed, by its id; the times of their objects are taken from the medium."""
        outcome = self.must(self.plant.office.run("images", "--from", store.name, "--json"))
        written = {}
        for path, held in store.objects().items():
            if path.startswith("i/"):
                id = os.path.basename(path).split(".")[0]
                written[id] = min(held.written, written.get(id, held.written))
        found = {}
        for one in outcome.json.get("images", []):
            if one["unfinished"] or one["damaged"]:
                continue
            said = seconds(one.get("storeTime") or one["time"])
            found[one["image"]] = rules.Image(one["image"], one["series"], one["sequence"], said, int(written.get(one["image"], said)), one["host"])
        self.seen |= {store.name + id for id in found}
        self.counts["images seen"] = len(self.seen)
        return found

    def look(self, store):
        """Takes note of what is new; nothing that is to be there is missing."""
        known, found = self.images.setdefault(store.name, {}), self.listed(store)
        for id, image in known.items():
            if id not in found and id not in self.disowned and not self.may_count_no_more(store, image):
                self.wrong(f"{store.name}: image {id} of {image.series} of {text(image.said)} is gone, and nobody was to remove it")
        for id, host in self.successes.pop(store.name, {}).items():
            if id in found or id in self.disowned or host == "press-02" and not store.is_direct and self.plant.theft.may_be_behind():
                continue
            self.wrong(f"{store.name}: image {id} is on record as made, and not listed")
        self.images[store.name] = found
        return found

    def may_count_no_more(self, store, image):
        """What the stolen machine has made counts where the store was when its right ended, and not what a copy alone had."""
        theft = self.plant.theft
        return not store.is_direct and theft and theft.revoked and image.host == "press-02" and image.said < theft.ended and image.id not in theft.counting

    def pruned(self, store, before, policy, series=None):
        """What is there after a prune is what the rules keep of what was there before."""
        kept = rules.keep(before.values(), policy, store.is_direct) | {id for id, one in before.items() if series and one.series != series}
        found = self.listed(store)
        self.counts["prunes"] += 1
        self.counts["images removed"] += len(before) - len(found)
        for id in sorted(kept ^ set(found)):
            image = before.get(id) or found[id]
            self.wrong(f"{store.name}: image {id} of {image.series} of {text(image.said)}, stored {text(image.written)}, "
                       + ("was to stay, and is gone" if id in kept else "was to go, and is there"))
        self.images[store.name] = found

    # -- runs

    def ran(self, machine, outcome, began, reasons):
        """A run that was not cut short: it succeeds, or there is a reason, and that is on record."""
        self.counts["runs"] += 1
        record = machine.record
        last = record.get("lastAttempt") or {}
        if last.get("began", 0) >= int(began):
            self.counts["runs that made something"] += 1
        for name, known in record.get("stores", {}).items():
            if known.get("lastSuccess", 0) >= int(began) and known.get("image"):
                self.successes.setdefault(name, {})[known["image"]] = machine.host
        if self.is_well(outcome):
            return
        if not reasons:
            self.wrong(f"{machine.name}: without a reason: {self.unknown(outcome)} {outcome}")
        else:
            self.counts["failures with a reason"] += 1
        if not last.get("sentence") and outcome.status != 130:
            self.wrong(f"{machine.name}: status {outcome.status}, and no sentence on record")

    def told(self, machine):
        """`check` says each failure at once, and nothing where all is well."""
        outcome, record = machine.run("check"), machine.record
        self.counts["checks"] += 1
        fails = [name for name, known in record.get("stores", {}).items() if known.get("failuresInARow", 0)]
        fails += [name for name, known in record.get("stores", {}).items() if known.get("pruneStatus") or known.get("verifyStatus")]
        last = record.get("lastAttempt") or {}
        age = self.plant.clock.now - min([known.get("lastSuccess", 0) for known in record.get("stores", {}).values()] or [0])
        late = age > 1.3 * machine.every + 3600
        if (fails or last.get("exitStatus") or late) and outcome.status == 0:
            self.wrong(f"{machine.name}: check tells nothing of {fails or last.get('sentence')}, last success {age / 3600:.0f} h ago: {outcome}")
        if not fails and last.get("exitStatus") == 0 and age < machine.every and outcome.status:
            self.wrong(f"{machine.name}: all is well, and check says: {outcome}: {outcome.output}")

    # -- the end

    def restore_all(self, store):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda image: self.restore(store, image), self.look(store).values()))

    def restore(self, store, image):
        out = os.path.join(self.plant.folder, f"out-{image.id}")
        outcome = self.plant.office.run("restore", image.id, "--from", store.name, "--to", out, "--quiet")
        if self.must(outcome).status in (0, 3):
            self.compare(store.name, image, out)
            self.counts["restored"] += 1
        shutil.rmtree(out, ignore_errors=True)
