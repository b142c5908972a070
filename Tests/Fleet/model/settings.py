"""What a fleet is like, what happens to it, and what is asked for a request: every number of the model that somebody chose."""

import dataclasses

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
YEAR = 365 * DAY

# What the protocol says (FORMAT.md 15 and 16, offsite.md 7.3).
SIGNING_WINDOW = 15 * MINUTE
LOOK_VALIDITY = 60.0
CONDEMN_AGE = 48 * HOUR
LONGEST_RUN = 24 * HOUR
GRACE_FENCED, GRACE_OTHER = 7 * DAY, 14 * DAY
TOMBSTONE_LIFE = 400 * DAY

# Dollars a request and a GB, S3 Standard us-east-1 (offsite.md 7.1).
PRICES = {"PUT": 0.005 / 1000, "LIST": 0.005 / 1000, "GET": 0.0004 / 1000, "HEAD": 0.0004 / 1000, "DELETE": 0.0}
PAGE = 1000

# Bytes as the format makes them.
LISTED_NAME = 300
ROOT_BYTES, LABEL_BYTES, RECORD_BYTES, HEADER_BYTES = 8 << 10, 1 << 10, 700, 300
REVOKED_WRITER, REVOKED_ROOT = 16, 48
TOMBSTONE_BYTES, CONDEMNED_BYTES, VERDICT_BYTES = 1200, 56, 1300
INDEX_ROW, CHUNK = 65, 512 << 10
VOLUME = 64 << 20
FIRST_BYTES, DAILY_BYTES, METADATA_BYTES = 8 << 30, 60 << 20, 1 << 20
SLOTS = 24

# Each takes one thing away that keeps content; the search has to find the loss that follows. What the program does is told in README.md.
WEAKNESSES = {
    "no-fence": "roots carry no date that a server refuses, and nobody looks again before one",
    "no-grace": "what is condemned goes in the same pass",
    "no-second-reading": "what is condemned goes after the grace, without reading the roots again",
    "newer-epoch-passed-over": "a tombstone of an epoch that a run does not know condemns nothing to it",
    "retry-below-look": "a root that failed is sent again without a new look (SFTP)",
    "no-keepalive": "a session outlives any sleep (sshd without keepalives; NFS and SMB, where there is none)",
    "clear-by-listing": "after a root nobody waits for a listing, and what it does not show as named is cleared",
    "derived-root-trusted": "a root under a name that a run of one's own would have given counts as one's own (stolen key)",
}
# The first loses nothing, but a long backup never ends. Of the second no loss was found by chance; README.md argues it.
OTHERWISE = {
    "void-tombstones": "the tombstones of a steward condemn nothing once it is revoked, and nobody states them anew",
    "checkpoints-passed-over": "what a run under way has checkpointed is condemned by its age all the same",
}

# Where each loss comes soonest: what it takes is made likely. The whole protocol has to stand all of these as well.
PLACES = {
    "no-fence": {"suspend": 0.1, "store": "s3"},
    "no-grace": {"prune_suspend": 0.1, "suspend": 0.03, "group_size": 20},
    "no-second-reading": {"prune_suspend": 0.1, "suspend": 0.03, "group_size": 20},
    "newer-epoch-passed-over": {"suspend": 0.1, "new_epoch": 0.3},
    "retry-below-look": {"store": "sftp", "suspend": 0.2, "days": 60},
    "no-keepalive": {"store": "sftp", "suspend": 0.2, "days": 60},
    "clear-by-listing": {"may_delete": 1.0, "reads_volumes": 1.0, "weak_listing": 1.0, "crash": 0.2},
    "derived-root-trusted": {"stolen": 0.1, "crash": 0.1},
}


@dataclasses.dataclass
class Settings:
    machines: int = 10_000
    days: int = 30
    seed: int = 1
    group_size: int = 100
    store: str = "mixed"  # s3, sftp or mixed by group
    client: str = "as-is"  # as-is: what the program asks today; lean: with what README.md proposes
    tombstones: str = "writer"  # one a condemned writer, or one for the group
    first_bytes: int = FIRST_BYTES
    latency: float = 0.050
    upstream: float = 12.5e6
    storm: float = 1.0  # all faults so much likelier
    replaced: float = 0.02  # of the machines, in 30 days
    quiet: bool = False  # no faults at all: what the protocol itself costs
    weak: frozenset = frozenset()

    # Chance a run.
    crash: float = 0.010
    suspend: float = 0.010
    step: float = 0.005
    # Chance a request: 503, time-out before the effect, answer lost, effect late.
    passing: float = 0.002
    # Share of machines.
    wrong_clock: float = 0.03
    off_for_weeks: float = 0.02
    attackers: float = 0.01
    stolen: float = 0.005
    # Share of groups.
    weak_listing: float = 0.25
    may_delete: float = 0.25
    reads_volumes: float = 0.5
    seeded: float = 0.5
    two_pruners: float = 0.7
    # Chance a prune.
    prune_crash: float = 0.03
    prune_suspend: float = 0.03
    prune_step: float = 0.02
    long: float = 0.15  # of a pruner's sleeps take up to 30 days
    # Chance a group and day.
    new_epoch: float = 0.03
    steward_ended: float = 0.02

    def __post_init__(self):
        if self.quiet:
            for name in ("crash suspend step passing wrong_clock off_for_weeks attackers stolen weak_listing prune_crash prune_suspend "
                         "prune_step new_epoch steward_ended replaced").split():
                setattr(self, name, 0.0)
        for name in ("crash suspend step passing stolen prune_crash prune_suspend prune_step new_epoch steward_ended replaced").split():
            setattr(self, name, min(0.4, getattr(self, name) * self.storm))

    def weakness(self, name):
        assert name in WEAKNESSES or name in OTHERWISE
        return name in self.weak
