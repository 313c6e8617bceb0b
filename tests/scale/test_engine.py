"""Which engine a word stands for, and what is said where there is none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import crmmining as cm
from crmmining.eventlog import Here
from crmmining.scale import Spark, engine, sessions, spark, worker


def test_local_is_this_process() -> None:
    assert isinstance(engine("local"), Here)


@pytest.mark.parametrize("word", ["locl", "spark", "sc:/host", ""])
def test_other_words_are_refused(word: str) -> None:
    with pytest.raises(cm.UnknownNameError, match=rf"unknown engine '{word}'\..* Known: .*spark://host:7077"):
        engine(word)


@pytest.mark.parametrize("address", ["local[2]", "sc://host:15002"])
def test_without_spark_it_says_what_to_install(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "find_spec", lambda _: None)
    with pytest.raises(cm.CrmMiningError, match=r"needs Spark: pip install 'crmmining\[spark\]'"):
        engine(address)


@pytest.mark.parametrize(
    "address", ["spark://127.0.0.1:1", "spark://127.0.0.1:1,127.0.0.1:2", "sc://127.0.0.1:1"]
)
def test_who_does_not_answer_is_named_soon(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "PATIENCE", 0.3)
    with pytest.raises(cm.CrmMiningError, match=rf"no Spark .* answers at {address}: .* for 0\.3 seconds"):
        engine(address)


def test_an_answer_that_is_missing_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Spark, "_asked", lambda *_: None)
    monkeypatch.setattr(spark, "_rows", lambda _: [(1, 0, 1, worker.packed("answer", 2))])
    with pytest.raises(cm.CrmMiningError, match="Spark gave 0 answers to 2 questions"):
        list(Spark(None).map(abs, [-1, -2]))  # type: ignore[arg-type]


def run(code: str, **surroundings: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | surroundings,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_without_java_it_says_so(tmp_path: Path) -> None:
    code = """
from crmmining.scale import engine
try:
    engine("local[1]")
except ValueError as error:
    print(error)
"""
    said = run(code, JAVA_HOME=str(tmp_path))
    assert said.startswith("engine 'local[1]' starts Spark here, which needs Java 17 or later: install it")


def test_a_worker_without_the_package_can_say_so() -> None:
    code = """
import pickle, sys
from pyspark import cloudpickle
from crmmining.scale.spark import _task
task = cloudpickle.dumps(_task(b"", {"crmmining": "9.9", "pyarro": "1"}, 1))
for name in [name for name in sys.modules if name.startswith("crmmining")]:
    del sys.modules[name]
sys.modules["crmmining"] = None  # an import of it fails
import pyarrow as pa
batch = pa.RecordBatch.from_pydict({"at": pa.array([3, 4], pa.int32()), "item": [b"", b""]})
(told,) = pickle.loads(task)(iter([batch]))
answer = told.column("answer")[0].as_py()
del sys.modules["crmmining"]
from crmmining.scale import worker
try:
    worker.opened(answer)
except ValueError as error:
    print(told.column("at").to_pylist(), error)
"""
    said = run(code)
    assert said.startswith("[3, 4] worker ")
    assert " and no pyarro; every worker needs what is used here: " in said
    assert said.endswith(" -m pip install crmmining==9.9 pyarro==1")
