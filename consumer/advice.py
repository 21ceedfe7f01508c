"""What is said once to whoever may have forgotten something."""

import structlog

from consumer.prequential import Step

PATIENCE = 100
"""Documents that may come without a label before it is said that nothing can be learned."""

log = structlog.get_logger()


class LabelsMissing:
    """Says so when the first documents of a run come without labels, as nothing waits for them.

    Parameters
    ----------
    topic
        Where labels would be that come later.
    expected
        Whether they are waited for.
    """

    def __init__(self, topic: str, *, expected: bool) -> None:
        self._topic = topic
        self._documents = 0
        self._settled = expected

    def observe(self, step: Step) -> None:
        """Take in a step."""
        if self._settled:
            return
        self._documents += len(step.predictions)
        if any(one.document.label is not None for one in step.predictions):
            self._settled = True
        elif self._documents >= PATIENCE:
            self._settled = True
            log.warning(
                "no document has a label, so nothing is learned: if labels come later, on the"
                " topic that is named here, start with --late-labels",
                documents=self._documents,
                topic=self._topic,
            )
