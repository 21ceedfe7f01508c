"""Compile the results of a run, and write them to a file."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from consumer.evaluation.scores import Scores
from newsreel.common.errors import UserError
from newsreel.common.json_file import without_nan
from newsreel.common.memory import peak_rss_mb

SHOWN = (
    "documents",
    "learned_documents",
    "labels",
    "pending_documents",
    "prequential_accuracy",
    "heldout_accuracy",
    "dead_letters",
)
"""Results that are logged at the end of a run."""


class SummaryError(UserError):
    """The summary is not writable."""


def summarize(progress: Mapping[str, Any], heldout: Scores | None, **about: Any) -> dict[str, Any]:
    """Compile the results of a run, ready for JSON.

    Parameters
    ----------
    progress
        Last snapshot of the run's progress.
    heldout
        Scores of the held-out documents, if the model was evaluated.
    about
        Further fields, such as the name of the learner; they come first.
    """
    scores = progress["prequential"] or {"whole": {}, "window": {}}
    summary = {
        **about,
        "documents": progress["documents"],
        "unlabelled_documents": progress["unlabelled"],
        "learned_documents": progress["learned"],
        "replayed_documents": progress["replayed"],
        "pending_documents": progress["pending"],
        "dead_letters": progress["dead_letters"],
        "quarantined_documents": progress["quarantined"],
        "labels": progress["labels"],
        "prequential_accuracy": scores["whole"].get("accuracy"),
        "prequential_accuracy_last_1000": scores["window"].get("accuracy"),
        "prequential_macro_f1": scores["whole"].get("macro_f1"),
        "prequential_kappa": scores["whole"].get("kappa"),
        "prequential_log_loss": scores["whole"].get("log_loss"),
        "recall_last_1000": scores["window"].get("recall"),
        "experts_accuracy_last_1000": {
            name: expert["accuracy"] for name, expert in scores.get("experts", {}).items()
        },
        "experts_share": progress["shares"],
        "heldout_accuracy": heldout.accuracy if heldout else None,
        "heldout_macro_f1": heldout.macro_f1 if heldout else None,
        "heldout_documents": heldout.documents if heldout else 0,
        "documents_per_second": progress["documents_per_second"],
        "peak_rss_mb": peak_rss_mb(),
        "curve": progress["curve"],
    }
    return without_nan(summary)


def check_writable(path: Path) -> None:
    """Create the file and its folder if they are missing.

    Raises
    ------
    SummaryError
        The file is not writable.
    """
    with _summary_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()


def write(path: Path, summary: dict[str, Any]) -> None:
    """Write a summary to a file.

    Raises
    ------
    SummaryError
        The file is not writable.
    """
    with _summary_errors(path):
        path.write_text(json.dumps(summary, indent=2) + "\n")


@contextmanager
def _summary_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SummaryError(
            f"can't write {str(path)!r} ({error.strerror}); name another file with --summary"
        ) from error
