"""Composition root: builds the parts, owns signals and the order in which things end."""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from consumer import checkpoint, composition, group, heldout, prequential, server
from consumer.assembly import Assembled, Machine, Recipe, assemble
from consumer.checkpoint import CheckpointStore, Stateful
from consumer.commit import Committer
from consumer.dead_letters import DeadLetterPublisher
from consumer.evaluation import Evaluator
from consumer.labels import LabelSet
from consumer.learners.gradient import Training
from consumer.manifest import Manifest
from consumer.metrics import Metrics
from consumer.micro_batch import MicroBatch
from consumer.poller import Poller
from consumer.progress import Progress, without_nan
from consumer.quarantine import Quarantine
from consumer.settings import EvaluateSettings, Settings
from consumer.source import KafkaSource
from consumer.tally import Scores
from events import topics
from service import cli, kafka, logs
from service.errors import UserError
from service.stop import Stop

QUEUED_MICRO_BATCHES = 8

log = structlog.get_logger()


class SummaryError(UserError):
    """The summary can't be written."""


def learn(argv: Sequence[str]) -> None:
    """Learn from the stream until told to stop."""
    settings = cli.parse(Settings, argv)
    with ExitStack() as stack:
        _learn(settings, stack)


def _learn(settings: Settings, stack: ExitStack) -> None:
    stop = stack.enter_context(Stop())
    if settings.summary is not None:
        _check_writable(settings.summary)  # better to fail now than after hours
    store = CheckpointStore(settings.checkpoint_dir, settings.keep_checkpoints)
    store.open(stack)
    registry = CollectorRegistry()
    progress = Progress()

    with kafka.admin(settings.bootstrap_servers) as admin:
        partitions = kafka.require(admin, settings.topic)
        kafka.ensure(admin, topics.dead_letters(settings.topic), count=1)
    consumer = group.connect(settings.bootstrap_servers, settings.group)
    poller = Poller(consumer, settings.topic, QUEUED_MICRO_BATCHES * settings.batch_size)
    stack.callback(poller.close)
    start = group.starting_point(consumer, settings.topic, partitions, store.ids())
    dead_letters = DeadLetterPublisher(
        settings.bootstrap_servers, topics.dead_letters(settings.topic)
    )
    stack.callback(dead_letters.close)
    app = server.app(registry, progress.snapshot, alive=poller.complaint, ready=poller.not_ready)
    address = stack.enter_context(server.serve(app, settings.http_host, settings.http_port))

    log.info("loading", learner=settings.learner, model=settings.model, http=address)
    labels = LabelSet(settings.max_labels)
    assembled = composition.assembled(settings)
    replay = composition.replay_buffer(settings)
    replay_ratio = composition.replay_ratio(settings)
    evaluator = Evaluator()
    micro_batch, quarantine = MicroBatch(settings.batch_size), Quarantine(settings.topic)
    parts: dict[str, Stateful] = {
        "labels": labels,
        "learner": assembled.learner,
        "replay": replay,
        "replay_ratio": replay_ratio,
        "evaluator": evaluator,
        "micro_batch": micro_batch,
        "quarantine": quarantine,
        "progress": progress,
    }
    describes = assembled.describes | {"replay": settings.replay}
    if start.checkpoint is not None:
        _restore(store.folder / start.checkpoint, parts, describes, start.positions)
    source = KafkaSource(
        poller,
        labels,
        start.positions,
        settings.linger,
        settings.stop_after,
        settings.stop_when_idle,
        stopping=lambda: stop.asked,
    )
    metrics = Metrics(registry)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    committer = Committer(
        store,
        parts,
        describes,
        progress,
        dead_letters,
        source,
        about={"topic": settings.topic, "group": settings.group},
        every=settings.checkpoint_every,
        observe=metrics.observe_checkpoint,
    )

    poller.start()
    log.info("learning", topic=settings.topic, group=settings.group, http=address)
    step = None
    for step in prequential.run(
        source,
        assembled.extractor,
        assembled.learner,
        replay,
        replay_ratio,
        evaluator,
        labels,
        micro_batch,
        quarantine,
    ):
        progress.observe(step)
        metrics.observe(step)
        dead_letters.send(step.dead_letters)
        if committer.due():
            committer.commit(step)
    if step is not None and not committer.covers(step):
        committer.commit(step)

    scores = None if stop.asked else _examine(settings, assembled, labels, stop)
    about = {"learner": settings.learner, "model": settings.model, "seed": settings.seed}
    summary = progress.summary(scores, **about)
    log.info("done", **{name: summary[name] for name in SHOWN if summary[name] is not None})
    if settings.summary is not None:
        settings.summary.write_text(json.dumps(summary, indent=2) + "\n")


SHOWN = ("documents", "labels", "prequential_accuracy", "heldout_accuracy", "dead_letters")


def evaluate(argv: Sequence[str]) -> None:
    """Examine a checkpoint on the held-out topic."""
    settings = cli.parse(EvaluateSettings, argv)
    folder = checkpoint.newest(settings.checkpoint)
    manifest = Manifest.read(folder)
    documents = heldout.read(settings.bootstrap_servers, settings.topic)
    if not documents:
        raise heldout.HeldOutError(
            f"topic {settings.topic!r} has no documents; publish some with: python -m producer"
            f" --topic {settings.topic} --split test (or --corpus and a file of your own)"
        )
    described = manifest.describes
    recipe = Recipe.read(described)
    machine = Machine(settings.device, settings.precision, settings.runtime)
    still = Training(described["optimizer"], 0.0, 0.0, described["averaging"], 0.0)
    assembled = assemble(recipe, machine, still, learn_tokens=recipe.max_tokens, seed=0)
    manifest.require_fit(assembled.describes)
    labels = LabelSet(limit=sys.maxsize)
    checkpoint.restore(folder, {"labels": labels, "learner": assembled.learner})
    scores = heldout.evaluate(assembled.extractor, assembled.learner, labels, documents)
    report = {
        "checkpoint": manifest.id,
        "documents_read": manifest.documents,
        "heldout_accuracy": scores.accuracy,
        "heldout_macro_f1": scores.macro_f1,
        "heldout_kappa": scores.kappa,
        "heldout_log_loss": scores.log_loss,
        "heldout_documents": scores.documents,
        "recall": dict(sorted(scores.recall.items())),
    }
    print(json.dumps(without_nan(report), indent=2, ensure_ascii=False))  # noqa: T201 - the result


def _examine(
    settings: Settings, assembled: Assembled, labels: LabelSet, stop: Stop
) -> Scores | None:
    """Examine the learner on the held-out topic, unless that is asked to stop, too."""
    documents = heldout.read(settings.bootstrap_servers, topics.heldout(settings.topic))
    scores = heldout.evaluate(
        assembled.extractor, assembled.learner, labels, documents, stopping=lambda: stop.asked
    )
    return None if stop.asked else scores


def _restore(
    folder: Path,
    parts: Mapping[str, Stateful],
    describes: Mapping[str, Any],
    positions: Mapping[int, int],
) -> None:
    manifest = Manifest.read(folder)
    manifest.require_fit(describes)
    manifest.require_positions(positions)
    checkpoint.restore(folder, parts)
    log.info("restored", checkpoint=folder.name)


def _check_writable(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()
    except OSError as error:
        raise SummaryError(
            f"can't write {str(path)!r} ({error.strerror}); name another file with --summary"
        ) from error


def main() -> int:
    """Run what the command line asks for."""
    logs.configure()
    arguments = sys.argv[1:]
    if arguments[:1] == ["evaluate"]:
        return cli.run("consumer evaluate", evaluate, arguments[1:])
    return cli.run("consumer", learn, arguments)


if __name__ == "__main__":
    sys.exit(main())
