"""Nothing that comes from disk or wire can run code."""

import ast
import hashlib
import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import Part

from consumer.checkpoints.manifest import CheckpointError
from consumer.checkpoints.state import take_snapshot
from consumer.checkpoints.store import STATE, TENSORS, CheckpointStore, restore_checkpoint
from consumer.features import transformer
from consumer.features.transformer import UnknownModelError

ROOT = Path(__file__).parents[3]

PACKAGES = ["newsreel", "harness", "chaos", "producer", "consumer", "demo", "benchmarks"]

FORBIDDEN_MODULES = {
    *("pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"),
    *("jsonpickle", "multiprocessing", "pdb"),
}

FORBIDDEN_NAMES = {
    *("torch.load", "torch.save", "torch.jit.load", "torch.hub.load", "torch.package"),
    *("numpy.load", "numpy.save", "numpy.savez", "pandas.read_pickle"),
    *("yaml.load", "yaml.unsafe_load", "yaml.full_load"),
    *("eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec"),
    *("sklearn.datasets.fetch_20newsgroups", "sklearn.datasets.fetch_openml"),
}

KNOWN = {
    "producer/corpus/newsgroups.py": {"sklearn.datasets.fetch_20newsgroups"},
    "chaos/consumer_process.py": {"multiprocessing", "multiprocessing.context.ForkServerContext"},
}
"""Exceptions: the fault harness starts processes with multiprocessing, and the producer reads
scikit-learn's corpus, a pickle in the user's own folder. Neither reads bytes from Kafka, HTTP or
checkpoints."""


def imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield each imported name and its full name: ``np`` and ``numpy``."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    first = alias.name.partition(".")[0]
                    yield (alias.asname, alias.name) if alias.asname else (first, first)
                    yield alias.name, alias.name
            case ast.ImportFrom(module=str(module), names=names):
                for alias in names:
                    yield alias.asname or alias.name, f"{module}.{alias.name}"


def used(tree: ast.AST, imports: dict[str, str]) -> Iterator[str]:
    """Yield the full names of all functions and modules that a module uses."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            first, dot, rest = ast.unparse(node).partition(".")
            yield imports.get(first, first) + dot + rest
        if isinstance(node, ast.keyword) and node.arg in {"allow_pickle", "trust_remote_code"}:
            yield f"{node.arg}={ast.unparse(node.value)}"


def violations(source: str) -> set[str]:
    tree = ast.parse(source)
    imports = dict(imported(tree))
    modules = {name for name in imports.values() if FORBIDDEN_MODULES & set(name.split("."))}
    names = {*imports.values(), *used(tree, imports)}
    switches = {"allow_pickle=True", "trust_remote_code=True"}
    return modules | names & (FORBIDDEN_NAMES | switches)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_pickle(package: str) -> None:
    """No module imports a pickling library or uses a function that unpickles or evaluates."""
    modules = sorted((ROOT / package).rglob("*.py"))
    assert modules
    found = {path.relative_to(ROOT).as_posix(): violations(path.read_text()) for path in modules}
    known = {path: names for path, names in KNOWN.items() if path.startswith(f"{package}/")}
    assert {path: names for path, names in found.items() if names} == known


def test_all_packages_are_searched() -> None:
    """The search covers all packages of the checkout."""
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} == set(PACKAGES)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from sklearn.externals import joblib",
        "import os, dill as d",
        "from pickle import loads",
        "import torch\ntorch.load(path, weights_only=False)",
        "from torch import load as read\nread(path)",
        "import torch as t\nread = t.load",
        "import numpy as np\nnp.load(path)",
        "import torch.jit\ntorch.jit.load(path)",
        "from_pretrained(name, trust_remote_code=True)",
        "map(eval, lines)",
        "import a.pickle",
    ],
)
def test_violations(source: str) -> None:
    """The search finds imports and uses of forbidden functions under any name."""
    assert violations(source)


class Bomb:
    """Creates a folder when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self._file),)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Return a checkpoint of one part."""
    part = Part()
    part.state = {"numbers": torch.arange(3.0), "words": ["a", None, 1]}
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    about = {"topic": "t", "group": "g", "positions": {"0": 1}, "describes": {}, "documents": 1}
    return folder / CheckpointStore(folder, keep=1).save(take_snapshot({"part": part}), **about)


def test_restoring_never_unpickles(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint is restored without a call of a function that unpickles."""

    def broken(*_: object, **__: object) -> None:
        raise AssertionError("something was unpickled")

    for module, name in (
        (pickle, "load"),
        (pickle, "loads"),
        (pickle, "Unpickler"),
        (torch, "load"),
        (np, "load"),
    ):
        monkeypatch.setattr(module, name, broken)
    part = Part()
    restore_checkpoint(saved, {"part": part})
    assert part.state["numbers"].tolist() == [0, 1, 2]
    assert part.state["words"] == ["a", None, 1]


@pytest.mark.parametrize("name", [STATE, TENSORS])
@pytest.mark.parametrize("dump", ["pickle", "torch"])
def test_pickle_in_place_of_a_file(name: str, dump: str, saved: Path, tmp_path: Path) -> None:
    """A pickle in place of a file, with the right digest, is refused and not loaded."""
    file, mark = saved / name, tmp_path / "ran"
    if dump == "torch":
        torch.save(Bomb(mark), file)
    else:
        file.write_bytes(pickle.dumps(Bomb(mark)))
    manifest = json.loads((saved / "manifest.json").read_text())
    manifest["sha256"][name] = hashlib.sha256(file.read_bytes()).hexdigest()
    (saved / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError):
        restore_checkpoint(saved, {"part": Part()})
    assert not mark.exists()


def test_pickled_weights(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    """A model with pickled weights is refused; the error asks for safetensors."""
    folder = shutil.copytree(tiny("bert"), tmp_path / "model")
    (folder / "model.safetensors").unlink()
    torch.save({"weight": Bomb(tmp_path / "ran")}, folder / "pytorch_model.bin")
    with pytest.raises(UnknownModelError, match="safetensors"):
        transformer.load_transformer(str(folder))
    assert not (tmp_path / "ran").exists()


def test_code_of_a_model(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    """A model with code of its own is refused without a question to the user."""
    folder = shutil.copytree(tiny("bert"), tmp_path / "model")
    (folder / "own.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'ran')!r})\n")
    config = json.loads((folder / "config.json").read_text())
    config["model_type"] = "own"
    config["auto_map"] = {"AutoConfig": "own.Config", "AutoModel": "own.Model"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UnknownModelError):
        transformer.load_transformer(str(folder))
    assert not (tmp_path / "ran").exists()
