"""Sessions of Spark, by address."""

import os
import re
import socket
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from crmmining.errors import CrmMiningError, UnknownNameError
from crmmining.scale import failures

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

KNOWN = ("local", "local[2]", "spark://host:7077", "yarn", "k8s://https://host:443", "sc://host:15002")
PATIENCE = 10.0  # seconds for an answer; left to themselves, clients go on trying for minutes
_MASTER = re.compile(r"local\[.+\]|spark://.+|yarn|k8s://.+")


def session(address: str) -> "SparkSession":
    """A session of Spark in this process (`local[2]`), on a cluster or with a Spark Connect server (`sc://`).

    Raises `CrmMiningError` where Spark or Java is not installed and where nobody answers at the address.
    """
    remote = address.startswith("sc://")
    if not remote and not _MASTER.fullmatch(address):
        raise UnknownNameError("engine", address, KNOWN)
    if any(find_spec(name) is None for name in ("pyspark", "grpc" if remote else "py4j")):
        raise CrmMiningError(f"engine '{address}' needs Spark: pip install 'crmmining[spark]'")
    with failures.translated():
        return _connected(address) if remote else _started(address)


def _connected(address: str) -> "SparkSession":
    with failures.without_pandas():
        import grpc  # noqa: PLC0415
        from pyspark.sql import SparkSession  # noqa: PLC0415
        from pyspark.sql.connect.client import DefaultChannelBuilder  # noqa: PLC0415

        with DefaultChannelBuilder(address).toChannel() as channel:
            try:
                grpc.channel_ready_future(channel).result(timeout=PATIENCE)
            except grpc.FutureTimeoutError:
                raise _unreachable(address, "Spark Connect server") from None
        return SparkSession.builder.remote(address).getOrCreate()


def _started(master: str) -> "SparkSession":
    from pyspark.sql import SparkSession  # noqa: PLC0415

    builder = SparkSession.builder.appName("crmmining").master(master)
    builder = builder.config("spark.driver.memory", "4g").config("spark.driver.maxResultSize", "0")
    builder = builder.config("spark.ui.showConsoleProgress", str(sys.stderr.isatty()).lower())
    if master.startswith("local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = builder.config("spark.ui.enabled", "false").config("spark.log.level", "OFF")
    elif master.startswith("spark://") and not any(map(_answers, master[8:].split(","))):
        raise _unreachable(master, "Spark master")
    try:
        with failures.without_pandas():
            return builder.getOrCreate()
    except Exception as error:
        if "JAVA" not in str(error):
            raise
        raise CrmMiningError(
            f"engine '{master}' starts Spark here, which needs Java 17 or later: install it, set JAVA_HOME, "
            "or connect to a server (sc://host:15002), which needs no Java"
        ) from error


def _answers(place: str) -> bool:
    host, _, port = place.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()
    except (OSError, ValueError):
        return False
    return True


def _unreachable(address: str, kind: str) -> CrmMiningError:
    return CrmMiningError(
        f"no {kind} answers at {address}: is it running, and does its port let this machine in? "
        f"Tried for {PATIENCE:g} seconds"
    )
