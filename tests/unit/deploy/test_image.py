"""deploy/Dockerfile: its steps, as far as they run without building an image."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
import yaml
from helpers import ROOT

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text().replace("\\\n", "")

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

COPIED = re.findall(r"^COPY (\w+) \1$", DOCKERFILE, re.MULTILINE)

LET_THROUGH = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)

ENVIRONMENT = dict(re.findall(r"\b([A-Z_]+)=(\S+)", DOCKERFILE.partition("\nENV ")[2]))

PROGRAMS = ["producer", "consumer", "consumer evaluate"]


def test_base_image_is_pinned() -> None:
    """All stages of the Dockerfile start from the same release of Python."""
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", bases.pop())


def test_programs_do_not_run_as_root() -> None:
    """The user is a number, so that Kubernetes can check that it is not root."""
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE) == ["10001"]
    assert "useradd --uid 10001 " in DOCKERFILE


def test_image_has_every_package() -> None:
    """Every package of the wheel is copied, and .dockerignore lets it through."""
    included = PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    assert set(COPIED) == {pattern.removesuffix("*") for pattern in included}
    assert set(LET_THROUGH) == {*COPIED, "pyproject.toml", "constraints.txt"}


def test_volumes_belong_to_the_user_of_the_image() -> None:
    """Each mounted folder exists in the image and belongs to its user."""
    folders = re.search(r"install --directory --owner=newsreel --group=newsreel (.*)", DOCKERFILE)
    assert folders is not None
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    mounted = {
        volume.split(":")[1]
        for service in services.values()
        if "build" in service
        for volume in service["volumes"]
    }
    assert set(folders[1].split()) == mounted
    assert ENVIRONMENT["XDG_CACHE_HOME"] in mounted
    assert str(Path(ENVIRONMENT["SCIKIT_LEARN_DATA"]).parent) in mounted


@pytest.fixture(scope="module")
def requirements(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the step that writes the lists of requirements in a temporary folder."""
    folder = tmp_path_factory.mktemp("requirements")
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    (step,) = re.findall(r"^RUN (python -c .*)$", DOCKERFILE, re.MULTILINE)
    shell(step, folder)
    return folder


def shell(step: str, folder: Path, **variables: str) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["sh", "-e", "-c", step],
        cwd=folder,
        env={**os.environ, "PATH": path, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_requirements_are_those_of_the_project(requirements: Path) -> None:
    """The lists hold the project's requirements; torch has its own list and layer."""
    listed = (requirements / "all.txt").read_text().splitlines()
    assert listed == PROJECT["project"]["dependencies"]
    (torch,) = (requirements / "torch.txt").read_text().splitlines()
    assert torch in listed


@pytest.mark.slow
def test_installation_is_constrained(requirements: Path) -> None:
    """Pip accepts the commands, and this environment satisfies all their requirements."""
    steps = re.findall(r"^RUN (pip install .*?)(?: +&& .*)?$", DOCKERFILE, re.MULTILINE)
    assert len(steps) == 2
    for step in steps:
        words = shlex.split(step)
        assert (
            "--no-deps" in words or words[words.index("--constraint") + 1] == "/tmp/constraints.txt"
        )
        command = step.replace("/tmp/", f"{requirements}/")
        shell(command, requirements, PIP_NO_INDEX="1", PIP_DRY_RUN="1", TORCH_INDEX_URL="unused")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the folders of the image, and nothing else of the project."""
    folder = tmp_path_factory.mktemp("newsreel")
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_run_from_the_image(program: str, image: Path) -> None:
    """Each program starts from the copied folders alone, without a writable home."""
    help_ = subprocess.run(
        # -S: without the checkout that is installed in this environment
        [sys.executable, "-S", "-B", "-m", *program.split(), "--help"],
        cwd=image,
        env={"PYTHONPATH": sysconfig.get_path("purelib"), "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert help_.returncode == 0, help_.stderr
    assert f"python -m {program}" in help_.stdout
