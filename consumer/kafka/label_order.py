"""Decide whether the next document or the next label is read first."""

from typing import Any, Protocol

from newsreel.events import times


class LabelOrder(Protocol):
    """Decides the order of two topics; implemented by `ByTime` and `consumer.loop.alignment`.

    The decision depends on the records and on what was read before, so it is the same whenever both
    topics are read again.
    """

    def read_document(self, id_: str) -> None:
        """Note that a document without a label was read."""
        ...

    def read_label(self, id_: str) -> None:
        """Note that a label was read."""
        ...

    def label_is_next(self, document: int, label: int) -> bool:
        """Return whether a label is read before a document; given the records' timestamps."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the order depends on, beside the records to come."""
        ...


class ByTime:
    """The order of the records' timestamps; at equal timestamps, documents come first."""

    def read_document(self, id_: str) -> None:
        """Do nothing: only timestamps count."""

    def read_label(self, id_: str) -> None:
        """Do nothing: only timestamps count."""

    def label_is_next(self, document: int, label: int) -> bool:
        """Return whether the label's record is older; its unit may differ from the document's."""
        return times.milliseconds(label) < times.milliseconds(document)

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: only timestamps count."""
        return {}
