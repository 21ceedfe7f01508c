"""Damage a checkpoint: it is refused, or what is restored from it is what was saved."""

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from chaos import wire
from chaos.consumer_process import Fault
from chaos.kills import same, twins
from chaos.run import Run
from chaos.trial import Checks, Rig, Row, TrialError, stopwatch

DOCUMENTS = 64

FILES = ("manifest.json", "state.json", "tensors.safetensors")

KINDS = ("bit", "bit", "byte", "zeros", "cut", "grown", "gone")


def fuzz(rig: Rig, mutations: int) -> list[Row]:
    """Change, cut and lengthen each file of a checkpoint in turn, and restore it."""
    from chaos.restoring import Restoring  # noqa: PLC0415 - it imports torch, which takes seconds

    random = rig.random("fuzz")
    checks = Checks()
    with stopwatch() as seconds:
        run = Run(rig, f"{rig.name}-fuzz", "--learner", "latent")
        wire.publish(rig.connection, run.topic, wire.documents(DOCUMENTS, random))
        run.finish()
        whole = run.newest()
        restoring = Restoring(whole)
        fates: Counter[str] = Counter()
        for number in range(mutations):
            name = FILES[number % len(FILES)]
            copy = run.folder / "damaged" / whole.name
            shutil.copytree(whole, copy, copy_function=os.link)
            how = damage(copy / name, random)
            fate = restoring.fate(copy)
            checks.holds(
                "refused, or the model is the same",
                fate in {"refused", "the same"},
                f"{name}, {how}: {fate}",
            )
            fates[f"{name} {fate}"] += 1
            shutil.rmtree(copy)
        done = f"{mutations} mutations of {', '.join(FILES)}"
        found = ", ".join(f"{count} x {fate}" for fate, count in sorted(fates.items()))
        return [checks.row("fuzz", done, seconds(), found)]


def fallback(rig: Rig) -> list[Row]:
    """Damage the newest checkpoint of a consumer that was killed, and let it go on."""
    random = rig.random("fallback")
    items = wire.documents(8 * DOCUMENTS, random)
    checks = Checks()
    with stopwatch() as seconds:
        run, expected = twins(rig, "fallback", items)
        for name in FILES:
            life = run.start(Fault("pruned", 2))
            if life.wait() == 0:
                raise TrialError("the stream was over too early")
            damage(run.newest() / name, random, ["zeros", "cut", "grown"])
        run.finish()
        same(checks, run.outcome(), expected)
        done = (
            f"{len(items)} documents, the consumer killed and its newest checkpoint damaged"
            f" {len(FILES)} times: it goes on from the one before"
        )
        return [checks.row("fallback", done, seconds())]


def damage(path: Path, random: Random, kinds: Sequence[str] = KINDS) -> str:
    """Change a file in some way; returns what was done to it."""
    data = bytearray(path.read_bytes())
    kind = random.choice(kinds)
    at = random.randrange(len(data))
    match kind:
        case "bit":
            data[at] ^= 1 << random.randrange(8)
        case "byte":
            data[at] ^= random.randrange(1, 256)
        case "zeros":
            end = min(len(data), at + random.randrange(1, 4096))
            data[at:end] = bytes(end - at)
        case "cut":
            del data[at:]
        case "grown":
            data[at:at] = random.randbytes(random.randrange(1, 64))
    path.unlink()  # it may be a link to what stays whole
    if kind != "gone":
        path.write_bytes(data)
    return f"{kind} at byte {at}"
