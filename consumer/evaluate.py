"""Composition root of `python -m consumer evaluate`: one checkpoint, or all that are committed."""

import json
from contextlib import ExitStack
from pathlib import Path

import structlog
import torch
from prometheus_client import CollectorRegistry
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from starlette.applications import Starlette

from consumer.checkpoints.manifest import CheckpointError
from consumer.checkpoints.store import CheckpointStore, is_checkpoint, newest_checkpoint
from consumer.commit import recovery
from consumer.features import hardware
from consumer.features.config import HardwareConfig
from consumer.heldout.checkpoint_evaluator import CheckpointEvaluator, Evaluation
from consumer.heldout.history import History
from consumer.heldout.topic import HeldOutError, HeldOutTopic
from consumer.heldout.watch import Watch
from consumer.kafka import patches
from consumer.monitoring.heldout_metrics import HeldOutMetrics
from consumer.records.reader import RecordReader
from consumer.settings import EvaluateSettings
from consumer.web import server
from newsreel.common.diagnosis import Need, diagnose
from newsreel.common.json_file import without_nan
from newsreel.common.retrying import Waiting, retry
from newsreel.common.shutdown import Shutdown

FEATURE_BYTES = 1 << 30
"""Of held-out documents; the 7,532 of 20 Newsgroups take 0.5 GB."""

log = structlog.get_logger()


def evaluate_checkpoints(settings: EvaluateSettings) -> None:
    """Evaluate one checkpoint on the held-out topic, or each checkpoint that is committed."""
    patches.install()
    if settings.watch:
        with ExitStack() as stack:
            _watch(settings, stack)
    else:
        _once(settings)


def cores(settings: EvaluateSettings) -> int:
    """Return how many cores to use: beside a consumer that learns, one unless set otherwise."""
    return settings.threads or (1 if settings.watch else torch.get_num_threads())


def _once(settings: EvaluateSettings) -> None:
    hardware.use_cores(cores(settings))
    newest = newest_checkpoint(settings.checkpoint)
    topic = _heldout(settings)
    documents = topic.read_when_possible()
    if not documents:
        raise HeldOutError(
            f"topic {settings.topic!r} has no documents with labels; publish some with: python -m"
            f" producer --topic {settings.topic} --corpus FILE (of 20 Newsgroups: --split test), or"
            " say where texts and labels are, with the options that the consumer has"
            + (f". The last record can't be used: {topic.last_error}" if topic.last_error else "")
        )
    if newest != settings.checkpoint:
        newest = _last_committed(settings) or newest
    evaluation = CheckpointEvaluator(_machine(settings), cache_bytes=0).evaluate(newest, documents)
    print(json.dumps(_report(evaluation), indent=2, ensure_ascii=False))  # noqa: T201 - the result


def _last_committed(settings: EvaluateSettings) -> Path | None:
    """Return the folder of the checkpoint that was committed last; waits for Kafka for a while."""
    return retry(
        lambda: recovery.last_committed(_store(settings), settings.connection),
        Waiting("the offsets of the group", lambda: diagnose(settings.connection, Need())),
    )


def _watch(settings: EvaluateSettings, stack: ExitStack) -> None:
    store = _store(settings)
    if is_checkpoint(store.folder):
        raise CheckpointError(
            f"{str(store.folder)!r} is a single checkpoint; --watch follows a folder of them: name"
            " the one given to the consumer as --checkpoint-dir"
        )
    hardware.use_cores(cores(settings))
    stop = stack.enter_context(Shutdown())
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    watch = Watch(
        lambda: recovery.last_committed(store, settings.connection),
        _heldout(settings),
        CheckpointEvaluator(_machine(settings), FEATURE_BYTES),
        History(store.folder, settings.topic),
        HeldOutMetrics(registry),
        stop,
        diagnose=lambda: diagnose(settings.connection, Need((settings.topic,))),
    )
    app = Starlette(routes=server.monitoring(registry, lambda: None, watch.waiting))
    address = stack.enter_context(
        server.serve(app, settings.http_host, settings.http_port, settings.http_token)
    )
    log.info("watching", folder=str(store.folder), topic=settings.topic, http=address)
    hardware.run_when_idle()  # only now: HTTP is answered in time
    watch.run()


def _heldout(settings: EvaluateSettings) -> HeldOutTopic:
    reader = RecordReader.build(settings.records)
    return HeldOutTopic(settings.connection, settings.topic, reader)


def _store(settings: EvaluateSettings) -> CheckpointStore:
    return CheckpointStore(settings.checkpoint, keep=1)


def _machine(settings: EvaluateSettings) -> HardwareConfig:
    return HardwareConfig(settings.device, settings.precision, settings.runtime)


def _report(evaluation: Evaluation) -> dict[str, object]:
    scores = evaluation.scores
    return without_nan(
        {
            "checkpoint": evaluation.manifest.id,
            "documents_read": evaluation.manifest.documents,
            "heldout_accuracy": scores.accuracy,
            "heldout_macro_f1": scores.macro_f1,
            "heldout_kappa": scores.kappa,
            "heldout_log_loss": scores.log_loss,
            "heldout_documents": scores.documents,
            "recall": dict(sorted(scores.recall.items())),
        }
    )
