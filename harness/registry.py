"""A schema registry with its HTTP interface of Confluent's kind: Apicurio, fetched with Maven."""

import subprocess
import urllib.request
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Self

from harness import maven, supervisor
from harness.broker import free_port
from newsreel.common.errors import UserError

VERSION = "3.0.9"

ARTIFACT = f"io.apicurio:apicurio-registry-app:{VERSION}:zip:all"

GOAL = "org.apache.maven.plugins:maven-dependency-plugin:2.10:get"
"""Later versions of the plugin ask for the artifact's parent, which is in no public repository."""

START_SECONDS = 60.0


class RegistryStartError(UserError):
    """The schema registry does not start."""


class ApicurioRegistry:
    """Runs Apicurio Registry on the loopback interface until the ``with`` block ends.

    Parameters
    ----------
    folder
        Folder of the registry's data and log. Schemas of an earlier registry are served again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}/apis/ccompat/v7"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the registry and wait until it answers; after `stop`, it gets the same port again.

        Raises
        ------
        FetchError
            The registry can't be fetched.
        RegistryStartError
            The registry does not answer in time, or ends.
        """
        jar = fetch()
        self._folder.mkdir(parents=True, exist_ok=True)
        data = (self._folder / "registry").resolve()
        properties = {
            "quarkus.http.host": "127.0.0.1",
            "quarkus.http.port": self._port,
            "apicurio.datasource.url": f"jdbc:h2:file:{data}",
        }
        defined = [f"-D{name}={value}" for name, value in properties.items()]
        with (self._folder / "registry.log").open("ab") as log:
            self._process = supervisor.start(
                ["java", "-Xmx256m", *maven.JAVA_OPTIONS, *defined, "-jar", str(jar)], log
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the registry, which has its schemas on disk."""
        if self._process is not None:
            supervisor.stop(self._process)
            self._process = None

    def _wait_until_ready(self) -> None:
        if not supervisor.wait_until(self._answers, self._process, START_SECONDS):
            log_file = self._folder / "registry.log"
            raise RegistryStartError(
                f"the schema registry did not start; its log {log_file} has the reason"
            )

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/subjects", timeout=5):  # noqa: S310 - http
                return True
        except OSError:
            return False


def fetch() -> Path:
    """Return the registry's jar file, fetched at the first call.

    Raises
    ------
    FetchError
        Java or Maven is missing, or Maven can't fetch the registry.
    """
    folder = maven.CACHE / f"apicurio-registry-{VERSION}"
    if not folder.exists():
        with maven.draft(folder) as new:
            archive = new / "registry.zip"
            maven.run(GOAL, f"-Dartifact={ARTIFACT}", "-Dtransitive=false", f"-Ddest={archive}")
            with zipfile.ZipFile(archive) as content:
                content.extractall(new)
            archive.unlink()
    return next(folder.glob("*-runner.jar"))
