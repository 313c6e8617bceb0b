"""Every law on Spark, whose workers are processes of their own, and may die."""

import os
import signal
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import crmmining as cm
from crmmining.eventlog import Here, Partition
from crmmining.kernels import transitions
from crmmining.scale import Spark

from .laws import Both, Laws


@pytest.fixture
def engine(spark: Spark) -> Spark:
    return spark


@pytest.fixture
def processes() -> tuple[str, ...]:
    return ("opportunity",)


class TestSpark(Laws):
    """On Spark."""

    def test_losing_a_worker_changes_nothing(self, engine: Spark, stored: Both, tmp_path: Path) -> None:
        def ask(part: Partition) -> pl.DataFrame:
            mark = tmp_path / str(part.cases["case_id"][0])
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return transitions.transitions(part.events)

        partitions = stored["opportunity"][1].partitions
        theirs = list(engine.map(ask, partitions))
        assert len(list(tmp_path.iterdir())) == len(partitions) > 1
        ours = Here().map(lambda part: transitions.transitions(part.events), partitions)
        for one, other in zip(theirs, ours, strict=True):
            assert_frame_equal(one, other, check_exact=True)

    def test_an_item_that_kills_every_worker(self, engine: Spark) -> None:
        with pytest.raises(cm.CrmMiningError) as caught:
            list(engine.map(lambda _: os.kill(os.getpid(), signal.SIGKILL), [1]))
        assert str(caught.value) == (
            "Spark gave up: Python worker exited unexpectedly (crashed). "
            "Mostly for want of memory: give tasks more, or make partitions smaller"
        )

    def test_what_may_pass_is_tried_again(self, engine: Spark, tmp_path: Path) -> None:
        def ask(item: int) -> int:
            tried = len(list(tmp_path.iterdir()))
            (tmp_path / str(tried)).touch()
            if tried < 3:
                raise OSError(28, "No space left on device")
            return item

        assert list(engine.map(ask, [7])) == [7]
        for file in tmp_path.iterdir():
            file.unlink()
        (tmp_path / "never").mkdir()

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        with pytest.raises(cm.CrmMiningError) as caught:
            list(engine.map(full, [7]))
        assert str(caught.value) == "Spark gave up: OSError: [Errno 28] No space left on device"

    def test_a_worker_counts_with_as_many_threads_as_its_task_has(self, engine: Spark) -> None:
        assert list(engine.map(lambda _: pl.thread_pool_size(), [0, 0, 0])) == [1, 1, 1]
