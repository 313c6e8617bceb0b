"""What holds on every engine: its answers are those of this process, bit for bit."""

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pyspark import cloudpickle

import crmmining as cm
from crmmining import measure
from crmmining.eventlog import Here, Partition
from crmmining.eventlog.partition import split
from crmmining.kernels import rework, throughput, transitions, variants
from crmmining.scale import Spark, worker
from crmmining.scale import spark as module

# Workers do not know this module.
cloudpickle.register_pickle_by_value(sys.modules[__name__])  # type: ignore[no-untyped-call]

Both = dict[str, tuple[cm.EventLog, cm.EventLog]]

KERNELS: dict[str, Callable[[Partition], pl.DataFrame]] = {
    "variants": lambda part: variants.variants(part.events),
    "transitions": lambda part: transitions.transitions(part.events),
    "rework": lambda part: rework.rework(part.events),
    "rework by activity": lambda part: rework.rework_by_activity(part.events),
    "throughput": lambda part: throughput.between(part.events, [0], [1, 2]),
    "spans": lambda part: throughput.spans(part.events),
}
ENDS = {
    "account": ("created", "opportunity_won"), "case": ("created", "closed"),
    "lead": ("created", "converted"), "opportunity": ("created", "won"),
}  # fmt: skip
QUESTIONS: dict[str, Callable[[cm.EventLog], pl.DataFrame]] = {
    "events": lambda log: log.events,
    "cases": lambda log: log.cases,
    "facts": lambda log: log.facts,
    "variants": lambda log: log.variants(),
    "transitions": lambda log: log.transitions(),
    "rework": lambda log: log.rework(),
    "endpoints": lambda log: log.endpoints(),
    "throughput": lambda log: log.throughput(*ENDS[log.process.name], by=["region", "owner@now"]),
    "conversion": lambda log: log.conversion(*ENDS[log.process.name], by=["record_type"]),
    "as they were": lambda log: log.at(ENDS[log.process.name][1]),
    "pairs": lambda log: log.pairs(*ENDS[log.process.name]),
    "filter": lambda log: log.filter(having=[ENDS[log.process.name][1]], variants=3).variants(),
    "where": lambda log: log.filter(where="n_events > 5").cases,
}
KINDS = pl.DataFrame(
    {
        "list": [[1, 2], [], None],
        "categorical": pl.Series(["b", None, "a"], dtype=pl.Categorical),
        "enum": pl.Series(["z", "a", None], dtype=pl.Enum(["z", "a"])),
        "datetime": pl.Series([datetime(2024, 1, 1, tzinfo=UTC), None, None], dtype=pl.Datetime("us", "UTC")),
        "binary": [b"\x00\xff", b"", None],
        "int128": pl.Series([2**100, None, 0], dtype=pl.Int128),
    }
)


def scorecard(sample: cm.Crm, log: cm.EventLog) -> pl.DataFrame:
    """All KPIs of the process of a log."""
    cut = measure.Cut(sample.definitions.source.org, by=("region",), period="quarter")
    name = log.process.name
    return measure.scorecard({name: log}, sample.definitions, sample.definitions.kpis_of(name), cut)


class Laws:
    """Subclasses name the fixture `engine`, and the processes whose logs are asked everything."""

    @pytest.mark.parametrize("name", KERNELS)
    def test_kernels_on_partitions(self, engine: Spark, sample: cm.Crm, name: str) -> None:
        partitions = list(split(sample.event_log("case").partitions[0], 800))
        assert len(partitions) > 3
        ask = KERNELS[name]
        for theirs, ours in zip(engine.map(ask, partitions), Here().map(ask, partitions), strict=True):
            assert_frame_equal(theirs, ours, check_exact=True)

    @pytest.mark.parametrize("name", QUESTIONS)
    def test_questions_on_a_stored_log(
        self, engine: Spark, stored: Both, processes: tuple[str, ...], name: str
    ) -> None:
        for process in processes:
            log, there = stored[process]
            assert len(there.partitions) > 1
            asked = QUESTIONS[name](replace(there, engine=engine))
            assert_frame_equal(asked, QUESTIONS[name](log), check_exact=True)

    def test_all_kpis_on_a_stored_log(
        self, engine: Spark, stored: Both, processes: tuple[str, ...], sample: cm.Crm
    ) -> None:
        for process in processes:
            log, there = stored[process]
            asked = scorecard(sample, replace(there, engine=engine))
            assert_frame_equal(asked, scorecard(sample, log), check_exact=True)

    def test_frames_of_every_kind_come_back(self, engine: Spark) -> None:
        frames = [KINDS, KINDS.clear(), KINDS[1:]]
        for theirs, ours in zip(engine.map(lambda frame: frame, frames), frames, strict=True):
            assert_frame_equal(theirs, ours, check_exact=True, categorical_as_str=False)

    def test_answers_come_in_the_order_of_the_items(self, engine: Spark) -> None:
        assert list(engine.map(partial(divmod, 100), range(1, 12))) == [divmod(100, n) for n in range(1, 12)]

    def test_no_items_no_answers(self, engine: Spark) -> None:
        assert list(engine.map(abs, [])) == []

    def test_a_large_answer_travels_in_several_rows(
        self, engine: Spark, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(worker, "PART", 10)
        assert list(engine.map(list, [range(300), [], [1]])) == [list(range(300)), [], [1]]

    def test_many_items_are_sent_in_several_messages(
        self, engine: Spark, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "MESSAGE", 1000)
        assert list(engine.map(len, [b"x" * n for n in (400, 700, 100, 100)])) == [400, 700, 100, 100]
        with pytest.raises(cm.CrmMiningError, match="is too large to be sent to a worker"):
            list(engine.map(len, [b"x" * 1001]))

    def test_an_error_that_teaches_arrives_as_it_was(self, engine: Spark) -> None:
        def ask(item: int) -> int:
            if item > 1:
                raise cm.UnknownNameError("process", f"lead{item}", ["lead"])
            return item

        answers = engine.map(ask, [1, 2, 3])
        assert next(answers) == 1
        with pytest.raises(cm.UnknownNameError) as caught:
            next(answers)
        assert str(caught.value) == "unknown process 'lead2'. Did you mean 'lead'? Known: lead."

    def test_a_mistake_shows_where_it_was_made(self, engine: Spark) -> None:
        with pytest.raises(ZeroDivisionError) as caught:
            list(engine.map(partial(divmod, 1), [1, 0]))
        (note,) = caught.value.__notes__
        assert note.startswith("on worker ")
        assert note.endswith("ZeroDivisionError: integer division or modulo by zero\n")

    def test_a_stored_log_that_workers_do_not_find(self, engine: Spark, stored: Both, tmp_path: Path) -> None:
        stored["lead"][0].save(tmp_path, events=1500)
        log = replace(cm.open_log(tmp_path), engine=engine)
        for file in tmp_path.glob("*/events-*"):
            file.unlink()
        with pytest.raises(cm.CrmMiningError, match="has no such file: all workers must find it"):
            log.variants()

    def test_a_worker_with_other_versions(self, engine: Spark, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "version", lambda name: "1.0" if name == "polars" else version(name))
        with pytest.raises(cm.CrmMiningError) as caught:
            list(engine.map(abs, [1, 2]))
        told = r"worker \S+ has polars 2\.[\d.]+; every worker .* -m pip install crmmining==\S+ polars==1\.0 "
        assert re.match(told, str(caught.value))
