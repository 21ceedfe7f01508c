"""Decide how long a poll waits for records, and how long to pause after one without any."""

POLL_SECONDS = 0.01
"""Seconds that a poll waits while some partition has a backlog: other partitions may get room."""

PAUSE_SECONDS = 0.04
"""Seconds of the first pause after a poll without records."""

LONGEST_SECONDS = 0.25
"""Largest wait of a poll, and largest pause."""


class Pace:
    """Polls a stream without a backlog as rarely as it can be without a delay.

    Brokers that wait for records themselves are asked again at once. Others answer at once with
    nothing, and are asked again after a pause that doubles until a record arrives.

    Parameters
    ----------
    longest
        Seconds that a poll waits, and pauses, at most; by default, and at most, `LONGEST_SECONDS`.
    """

    def __init__(self, longest: float = LONGEST_SECONDS) -> None:
        self.longest = min(longest, LONGEST_SECONDS)
        self._first = min(PAUSE_SECONDS, self.longest)
        self._next = self._first

    def wait(self, *, behind: bool) -> float:
        """Return how many seconds a poll waits for records.

        Parameters
        ----------
        behind
            Whether some partition has a backlog.
        """
        return POLL_SECONDS if behind else self.longest

    def pause(self, seconds: float, *, found: bool, behind: bool) -> float:
        """Return how many seconds to pause after a poll.

        Parameters
        ----------
        seconds
            Seconds that the poll has taken.
        found
            Whether it has returned records.
        behind
            Whether some partition has a backlog.
        """
        if found or behind:
            self._next = self._first
            return 0.0 if found else self._first
        if seconds >= PAUSE_SECONDS:  # the broker has waited
            return 0.0
        pause = self._next
        self._next = min(2 * pause, self.longest)
        return pause
