"""The demo as a process, on a small corpus."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import ROOT, documents

PNG = b"\x89PNG"


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    """Return options for a short demo on a corpus that needs no network."""
    for split, count in (("train", 64), ("test", 32)):
        for document in documents(count):
            folder = tmp_path / f"20news-bydate-{split}" / str(document.label)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / document.id).write_text(document.text)
    return [
        *("--documents", "48", "--heldout", "32", "--corpus", str(tmp_path)),
        *("--folder", str(tmp_path / "demo")),
    ]


def start(options: list[str], **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "demo", *options],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def left_running(folder: Path) -> list[str]:
    """Return the command lines of processes that contain the demo's folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # the process has just ended
        if str(folder) in words and int(path.parent.name) != os.getpid():
            found.append(words)
    return found


def wait_until_learning(folder: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        log = folder / "consumer.log"
        if log.exists() and "learning" in log.read_text():
            return
        time.sleep(0.2)
    raise AssertionError("the demo did not begin to learn")


def test_demo_learns_and_reports(options: list[str], tmp_path: Path) -> None:
    """The demo ends with exit code 0, a table, a summary, a plot, and no process left running."""
    demo = start(options)
    output, _ = demo.communicate(timeout=240)
    assert demo.returncode == 0, output
    assert "What it learned" in output
    folder = tmp_path / "demo"
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["documents"] == 48
    assert summary["labels"] == 2
    assert summary["heldout_documents"] == 32
    assert summary["heldout_accuracy"] > 0.5
    assert (folder / "accuracy.png").read_bytes().startswith(PNG)
    assert left_running(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_the_demo(
    options: list[str], encoder: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """The broker, the producer and the consumer end with the demo, whatever ends it."""
    tiny = {"CONSUMER_MODEL": str(encoder), "CONSUMER_RUNTIME": "torch"}
    # At this rate, every process runs for longer than any of them takes to start.
    demo = start([*options, "--rate", "0.5"], **tiny)
    wait_until_learning(tmp_path / "demo")
    assert any("-m producer" in line for line in left_running(tmp_path))
    assert any("-m consumer" in line for line in left_running(tmp_path))
    demo.send_signal(number)
    output, _ = demo.communicate(timeout=60)
    assert "Traceback" not in output
    deadline = time.monotonic() + 60
    while left := left_running(tmp_path):
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


def test_failing_process_is_named(options: list[str], tmp_path: Path) -> None:
    """If a process fails, the demo prints its name and its error, and ends with exit code 2."""
    options[options.index("--corpus") + 1] = str(tmp_path / "missing")
    demo = start(options)
    output, _ = demo.communicate(timeout=60)
    assert demo.returncode == 2
    assert "missing" in output
    assert "Traceback" not in output
