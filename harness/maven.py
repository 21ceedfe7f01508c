"""Fetch Java programs with Maven, once, into a cache folder."""

import shutil
import subprocess
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from newsreel.common.errors import UserError

CACHE = Path.home() / ".cache" / "newsreel"

FETCH_SECONDS = 600.0

JAVA_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""Options for a short start and little memory."""

POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>newsreel</groupId>
  <artifactId>fetch</artifactId>
  <version>1</version>
  <dependencies>{dependencies}</dependencies>
</project>
"""

DEPENDENCY = (
    "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"
)


class FetchError(UserError):
    """Java or Maven is missing, or Maven can't fetch a program."""


def jars(name: str, artifacts: Sequence[str]) -> Path:
    """Return a folder with the jar files of some artifacts and of all they depend on.

    Parameters
    ----------
    name
        Name of the folder in the cache.
    artifacts
        Artifacts, ``group:artifact:version``.

    Raises
    ------
    FetchError
        The jar files can't be fetched.
    """
    folder = CACHE / name
    if not folder.exists():
        with draft(folder) as new:
            dependencies = (DEPENDENCY.format(*artifact.split(":")) for artifact in artifacts)
            pom = new / "pom.xml"
            pom.write_text(POM.format(dependencies="".join(dependencies)))
            run("dependency:copy-dependencies", f"--file={pom}", f"-DoutputDirectory={new}")
    return folder


@contextmanager
def draft(folder: Path) -> Iterator[Path]:
    """Fill a folder of the cache: the folder gets its name when the ``with`` block ends well.

    Raises
    ------
    FetchError
        The ``with`` block failed as Maven did, or files can't be written.
    """
    require()
    new = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
    new.mkdir(parents=True)
    try:
        yield new
        new.rename(folder)
    except (subprocess.SubprocessError, OSError, zipfile.BadZipFile) as error:
        if not folder.exists():  # unless another process fetched the same
            reason = getattr(error, "stdout", None) or error
            raise FetchError(
                f"Maven can't fetch {folder.name} ({_last_error(str(reason))}); check the network"
                " and Maven's settings.xml"
            ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def require() -> None:
    """Require the programs that run and fetch Java programs.

    Raises
    ------
    FetchError
        One of them is missing.
    """
    if missing := [name for name in ("java", "mvn") if shutil.which(name) is None]:
        raise FetchError(f"{' and '.join(missing)} not found; install Java 17 and Maven")


def run(*arguments: str) -> None:
    """Run Maven."""
    subprocess.run(  # noqa: S603 - our own command
        ["mvn", "--batch-mode", "--quiet", *arguments],  # noqa: S607 - wherever it is installed
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=FETCH_SECONDS,
    )


def _last_error(output: str) -> str:
    """Return the first line of Maven's output that names an error."""
    lines = output.splitlines() or [""]
    return next((line for line in lines if line.startswith("[ERROR]")), lines[0])[:300]
