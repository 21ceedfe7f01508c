"""Nothing that comes from disk or wire can run code."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ["events", "service", "producer", "consumer", "demo", "benchmarks"]
FORBIDDEN_MODULES = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
FORBIDDEN_CALLS = {"torch.load", "torch.save", "numpy.load", "np.load", "eval", "exec"}


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield module
                yield from (f"{module}.{alias.name}" for alias in names)


def called(tree: ast.AST) -> Iterator[str]:
    return (ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call))


def violations(source: str) -> list[str]:
    tree = ast.parse(source)
    names = [name for name in imported(tree) if FORBIDDEN_MODULES & set(name.split("."))]
    return names + [name for name in called(tree) if name in FORBIDDEN_CALLS]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_pickle(package: str) -> None:
    """No module of ours imports a pickling library, or calls what unpickles or evaluates."""
    modules = sorted((ROOT / package).rglob("*.py"))
    assert modules
    found = {str(path): violations(path.read_text()) for path in modules}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from sklearn.externals import joblib",
        "import os, dill as d",
        "from pickle import loads",
        "torch.load(path, weights_only=False)",
    ],
)
def test_it_would_be_noticed(source: str) -> None:
    """The search finds what it is for."""
    assert violations(source)
