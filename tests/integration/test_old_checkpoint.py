"""A run resumes from a checkpoint of an older version, bit for bit."""

import json
import platform
import shutil
from pathlib import Path

import pytest
from old_checkpoint import FOLDER, commit, learn, outcome, publish, versions

from newsreel.common.kafka import Connection

LATER = ("waiting/early", "waiting/past", "waiting/alignment", "quarantine/left_out")
"""Parts of the state that version 0.1 did not have."""


@pytest.mark.skipif(
    platform.machine().lower() not in {"x86_64", "amd64"},
    reason="the fixtures hold the bits that x86-64 processors compute",
)
@pytest.mark.parametrize("name", ["blend", "late-labels"])
def test_a_checkpoint_of_version_0_1(connection: Connection, name: str, tmp_path: Path) -> None:
    """State, tensors and predictions at the end of the stream equal those of version 0.1.

    The checkpoint was committed in the middle of a micro-batch, with a full replay buffer. The test
    compares everything but the time of each prediction and the random id of the last checkpoint.
    """
    expected = json.loads((FOLDER / name / "expected.json").read_text())
    shutil.copytree(FOLDER / "encoder", tmp_path / "encoder")
    shutil.unpack_archive(FOLDER / name / "checkpoint.zip", tmp_path / "checkpoints")
    (file,) = tmp_path.glob("checkpoints/*/manifest.json")
    manifest = json.loads(file.read_text())
    topic = manifest["topic"]
    publish(connection, topic, json.loads((FOLDER / name / "records.json").read_text()))
    commit(connection, manifest)
    count = str(len(expected["predictions"]))
    learn(connection, tmp_path, topic, *expected["options"], "--stop-after", count)
    found = outcome(connection, tmp_path, topic, manifest["id"])
    assert found["positions"] == expected["positions"]
    for kind in ("state", "tensors"):
        found[kind] = {
            part: digest for part, digest in found[kind].items() if not part.startswith(LATER)
        }
        assert found[kind].keys() == expected[kind].keys()
    assert len(found["predictions"]) == len(expected["predictions"])
    others = {
        name: f"{version}, not {expected['versions'][name]}"
        for name, version in versions().items()
        if version != expected["versions"][name]
    }
    assert not others, (
        "the run was resumed, but its bits can't be compared: these libraries have other versions"
        " than those that wrote the fixture. Install the versions of constraints.txt. After an"
        " upgrade there, write the fixture again (tests/fixtures/make_checkpoint_0_1.py)"
    )
    differ = [
        f"{kind}: {part}"
        for kind in ("state", "tensors")
        for part, digest in found[kind].items()
        if expected[kind][part] != digest
    ]
    assert not differ
    assert found["predictions"] == expected["predictions"]
