"""Keep the topic of documents and the topic of labels in step while both are read."""

from collections import OrderedDict, deque
from hashlib import blake2b
from typing import Any

import torch

from consumer.kafka.label_order import ByTime

RECENT = 5
"""Latest meetings of which the median counts: single labels may come early or late."""


class _Side:
    """What was read of one topic, and which of its records have not met their counterparts yet."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._met: deque[int] = deque(maxlen=RECENT)
        self._unmet: OrderedDict[int, int] = OrderedDict()  # digest of the id: number of the record
        self.read = 0
        self.last_met = 0
        """Number of the record, among those read, that has met its counterpart last."""
        self.waited = 0.0
        """Records that waited for their counterparts; the older, the less they count."""

    @property
    def beyond(self) -> int:
        """Number of records read after those that the other topic has met lately."""
        return self.read - (sorted(self._met)[len(self._met) // 2] if self._met else 0)

    @property
    def since(self) -> int:
        """Number of records read after the last one that has met its counterpart."""
        return self.read - self.last_met

    def keep(self, id_: int) -> None:
        """Keep a record until its counterpart is read."""
        self._unmet[id_] = self.read
        self._unmet.move_to_end(id_)
        if len(self._unmet) > self._capacity:
            self._unmet.popitem(last=False)

    def meet(self, id_: int) -> int | None:
        """Return the number of the record that has an id; None if none waits."""
        number = self._unmet.pop(id_, None)
        if number is not None:
            self._met.append(number)
            self.last_met = max(self.last_met, number)
        return number

    def state_dict(self) -> dict[str, Any]:
        return {
            "read": self.read,
            "last_met": self.last_met,
            "waited": self.waited,
            "met": list(self._met),
            "ids": torch.tensor(list(self._unmet), dtype=torch.int64),
            "numbers": torch.tensor(list(self._unmet.values()), dtype=torch.int64),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.read, self.last_met = state["read"], state["last_met"]
        self.waited = state["waited"]
        self._met = deque(state["met"], maxlen=RECENT)
        pairs = list(zip(state["ids"].tolist(), state["numbers"].tolist(), strict=True))
        self._unmet = OrderedDict(pairs[-self._capacity :])


class Alignment:
    """Reads documents and labels in the order of time, as long as this lets them meet.

    Timestamps are a hint: they may be missing, in another unit, of another clock, or of the time at
    which a topic was copied. So the order also looks at which documents and labels have met by id.
    The topic that is usually ahead waits for the other one when more than half of ``capacity`` of
    its records were read after those that were met lately; otherwise it would drop records for want
    of room. Where a timestamp is missing, the topic goes on that was read less far.

    The order depends on the records alone, and on this object's state, which checkpoints keep.

    Parameters
    ----------
    capacity
        Number of documents, and of labels, that can wait for their counterparts.
    """

    def __init__(self, capacity: int) -> None:
        self._most = max(1, capacity // 2)
        self._documents = _Side(capacity)
        self._labels = _Side(capacity)
        self._times = ByTime()

    def read_document(self, id_: str) -> None:
        """Note that a document without a label was read."""
        documents, labels = self._documents, self._labels
        documents.read += 1
        if documents.read % self._most == 0:
            documents.waited /= 2
            labels.waited /= 2
        digest = _digest(id_)
        if labels.meet(digest) is None:
            documents.keep(digest)
        else:
            documents.last_met = documents.read
            labels.waited += 1

    def read_label(self, id_: str) -> None:
        """Note that a label was read."""
        documents, labels = self._documents, self._labels
        labels.read += 1
        digest = _digest(id_)
        number = documents.meet(digest)
        if number is None:
            labels.keep(digest)
            return
        labels.last_met = labels.read
        if documents.read - number <= self._most:  # of recent documents: how many waited
            documents.waited += 1

    def label_is_next(self, document: int, label: int) -> bool:
        """Return whether a label is read before a document; given the records' timestamps."""
        documents, labels = self._documents, self._labels
        documents_wait = self._is_far(documents, labels)
        labels_wait = self._is_far(labels, documents)
        if documents_wait != labels_wait:
            return documents_wait
        if documents_wait and min(documents.since, labels.since) <= self._most:
            return labels.since < documents.since
        if document <= 0 or label <= 0:
            return documents.beyond > labels.beyond
        return self._times.label_is_next(document, label)

    def _is_far(self, side: _Side, other: _Side) -> bool:
        if side.since > self._most:
            return True
        return side.waited >= other.waited and side.beyond > self._most

    def state_dict(self) -> dict[str, Any]:
        """Return how far each topic was read, and what has not met its counterpart yet."""
        return {"documents": self._documents.state_dict(), "labels": self._labels.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._documents.load_state_dict(state["documents"])
        self._labels.load_state_dict(state["labels"])


def _digest(id_: str) -> int:
    """Return a short digest of an id: ids may be long, and a rare collision only moves a hint."""
    digest = blake2b(id_.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
