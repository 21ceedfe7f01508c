"""The benchmark that learns the whole corpus over Kafka."""

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main


def test_replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, posts: Path) -> None:
    """Both splits are learned, once in order of time and once shuffled, and drawn."""
    dates = tmp_path / "dates.tsv"
    rows = [
        "\t".join([*post.relative_to(posts).parts, f"1993-04-{day:02d}T00:00:00Z"])
        for day, post in enumerate(sorted(posts.glob("*/*/*"))[:20], 1)
    ]
    dates.write_text("\n".join(["split\tgroup\tid\tdate_utc", *rows]) + "\n")
    argv = ["replay", "--newsgroups-path", str(posts), "--dates", str(dates)]
    monkeypatch.setattr("sys.argv", ["benchmarks", *argv, "--out", str(tmp_path / "out")])
    assert main() == 0
    found = json.loads((tmp_path / "out" / "replay.json").read_text())
    assert found["dates"]
    assert list(found["orders"]) == ["chronological", "shuffled"]
    for order in found["orders"].values():
        assert order["documents"] == 50
        assert order["curve"][-1][0] == 50
    assert "svg" in (tmp_path / "out" / "replay.svg").read_text()
