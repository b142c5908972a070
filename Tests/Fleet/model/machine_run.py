"""The record that a machine keeps of a run under way: it outlives the process."""


class Run:
    """The record of a run: names of what it writes follow from it."""

    __slots__ = ("things", "saved", "checkpoints", "root", "root_begun", "began")

    def __init__(self, began):
        self.began = began
        self.things = []  # created, or perhaps
        self.saved = []  # named by checkpoints
        self.checkpoints = 0
        self.root = None
        self.root_begun = False  # from the first request with a root on nothing of the run is removed by itself
