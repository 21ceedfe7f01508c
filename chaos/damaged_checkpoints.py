"""Damage a checkpoint: the consumer refuses it, or restores exactly what was saved."""

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from chaos import wire
from chaos.consumer_process import Fault
from chaos.kills import prepared, same
from chaos.run import Run
from chaos.trial import Checks, ResultRow, Rig, TrialError, stopwatch

DOCUMENTS = 64

FILES = ("manifest.json", "state.json", "tensors.safetensors")

KINDS = ("bit", "bit", "byte", "zeros", "cut", "grown", "deleted")


def fuzz(rig: Rig, mutations: int) -> list[ResultRow]:
    """Change, cut, lengthen or delete each file of a checkpoint in turn, and restore it."""
    from chaos.restoring import Restoration  # noqa: PLC0415 - imports torch, which takes seconds

    random = rig.random("fuzz")
    checks = Checks()
    with stopwatch() as seconds:
        run = Run(rig, f"{rig.name}-fuzz", "--learner", "latent")
        wire.publish(rig.connection, run.topic, wire.documents(DOCUMENTS, random))
        run.finish()
        checkpoint = run.newest()
        restoration = Restoration(checkpoint)
        results: Counter[str] = Counter()
        for number in range(mutations):
            name = FILES[number % len(FILES)]
            copy = run.folder / "damaged" / checkpoint.name
            shutil.copytree(checkpoint, copy, copy_function=os.link)
            change = damage(copy / name, random)
            result = restoration.attempt(copy)
            checks.holds(
                "refused, or the model is the same",
                result in {"refused", "the same"},
                f"{name}, {change}: {result}",
            )
            results[f"{name} {result}"] += 1
            shutil.rmtree(copy)
        done = f"{mutations} mutations of {', '.join(FILES)}"
        found = ", ".join(f"{count} x {result}" for result, count in sorted(results.items()))
        return [checks.row("fuzz", done, seconds(), found)]


def fallback(rig: Rig) -> list[ResultRow]:
    """Kill a consumer, damage its newest checkpoint, and start it again."""
    random = rig.random("fallback")
    items = wire.documents(8 * DOCUMENTS, random)
    checks = Checks()
    with stopwatch() as seconds:
        run, expected = prepared(rig, "fallback", items)
        for name in FILES:
            if not run.start(Fault("pruned", 2)).wait_killed():
                raise TrialError("the stream ended before the kill")
            damage(run.newest() / name, random, ["zeros", "cut", "grown"])
        run.finish()
        same(checks, run.outcome(), expected)
        done = (
            f"{len(items)} documents, the consumer killed and its newest checkpoint damaged"
            f" {len(FILES)} times: it continues from the checkpoint before"
        )
        return [checks.row("fallback", done, seconds())]


def damage(path: Path, random: Random, kinds: Sequence[str] = KINDS) -> str:
    """Change a file in a random way; return a description of the change."""
    data = bytearray(path.read_bytes())
    kind = random.choice(kinds)
    offset = random.randrange(len(data))
    match kind:
        case "bit":
            data[offset] ^= 1 << random.randrange(8)
        case "byte":
            data[offset] ^= random.randrange(1, 256)
        case "zeros":
            end = min(len(data), offset + random.randrange(1, 4096))
            data[offset:end] = bytes(end - offset)
        case "cut":
            del data[offset:]
        case "grown":
            data[offset:offset] = random.randbytes(random.randrange(1, 64))
    path.unlink()  # the file may be a hard link to the undamaged one
    if kind != "deleted":
        path.write_bytes(data)
    return f"{kind} at byte {offset}"
