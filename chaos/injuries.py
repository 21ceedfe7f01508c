"""Injure the brokers of a cluster in turn: kill, pause and terminate them."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from chaos.trial import TrialError
from harness.apache import ApacheKafka
from harness.apache_broker import ApacheBroker

WAYS = ("killed", "paused", "terminated")

AWAY_SECONDS = (1.0, 15.0)
"""Shortest and longest time for which a broker is away. A cluster moves the partitions of a broker
that it has not heard of for nine seconds."""

REST_SECONDS = (0.0, 4.0)
"""Shortest and longest time from a broker's return to the next injury."""

ROUND = 9
"""Injuries of single brokers, each in each way, before all brokers are killed at once."""

END_SECONDS = 150.0
"""Seconds that the last injury may take."""


class Injuries:
    """Brokers that are injured while a block runs, one after the other.

    Parameters
    ----------
    cluster
        Cluster of three brokers.
    random
        Random generator of the times.

    Attributes
    ----------
    counts
        Number of injuries by kind; "all killed" is one for each broker.
    """

    def __init__(self, cluster: ApacheKafka, random: Random) -> None:
        self.counts: Counter[str] = Counter()
        self._cluster = cluster
        self._random = random
        self._done = 0
        self._ending = threading.Event()
        self._failure: Exception | None = None

    @contextmanager
    def inflicted(self) -> Iterator[None]:
        """Injure brokers until the ``with`` block ends; then all of them run.

        Raises
        ------
        TrialError
            A broker did not start again.
        """
        self._ending.clear()
        thread = threading.Thread(target=self._run, name="injuries", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ending.set()
            thread.join(END_SECONDS)
        if thread.is_alive() or self._failure is not None:
            raise TrialError(f"a broker did not start again ({self._failure})")

    @property
    def summary(self) -> str:
        """The numbers of injuries, in words."""
        return ", ".join(f"{count} x {kind}" for kind, count in self.counts.items())

    def _run(self) -> None:
        try:
            while not self._ending.wait(self._random.uniform(*REST_SECONDS)):
                self._injure()
                self._done += 1
        except Exception as error:  # noqa: BLE001 - raised where the block ends
            self._failure = error

    def _injure(self) -> None:
        turn, away = self._done % (ROUND + 1), self._random.uniform(*AWAY_SECONDS)
        if turn == ROUND:
            self._cluster.kill()
            time.sleep(away)
            self._cluster.start()
            self.counts["all killed"] += len(self._cluster.brokers)
            return
        brokers = self._cluster.brokers
        way = WAYS[turn // len(brokers)]
        _injure(brokers[turn % len(brokers)], way, away)
        self.counts[way] += 1


def _injure(broker: ApacheBroker, way: str, away: float) -> None:
    if way == "paused":
        with broker.paused():
            time.sleep(away)
        return
    if way == "killed":
        broker.kill()
    else:
        broker.stop()
    time.sleep(away)
    broker.start()
