"""The same questions on more machines: engines that ask the partitions of a log on a cluster."""

from typing import TYPE_CHECKING

from crmmining.eventlog.engine import Engine, Here
from crmmining.scale.spark import Spark

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["Engine", "Spark", "engine"]


def engine(asked: "str | SparkSession") -> Engine:
    """The engine that is asked for: `local`, an address of Spark or a session of it.

    `local` asks one partition after the other in this process. `local[2]` starts Spark here with two workers,
    `spark://host:7077`, `yarn` and `k8s://...` start it on a cluster, `sc://host:15002` connects to a server
    that speaks Spark Connect: Spark, Databricks, Sail. Raises `UnknownNameError` for other words and
    `CrmMiningError` where Spark is not installed or nobody answers.

    >>> import crmmining as cm
    >>> list(cm.engine("local").map(abs, [-1, 2]))
    [1, 2]
    """
    if asked == "local":
        return Here()
    if not isinstance(asked, str):
        return Spark(asked)
    from crmmining.scale.sessions import session  # noqa: PLC0415

    return Spark(session(asked))
