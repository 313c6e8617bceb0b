"""Handovers by hand: both kinds of ping-pong, people and queues apart, owners nobody knows."""

from typing import Any

import polars as pl
import pytest

from crmmining.kernels.handovers import COUNTS, handovers

SCHEMA = pl.Schema({"case_ix": pl.UInt32(), "owner": pl.UInt32(), "is_queue": pl.Boolean()})
CODES = {"ann": 3, "bob": 1, "eve": 4, "QUEUE": 0, "DESK": 9, "?": None}


def owners(*chains: str, first: int = 0) -> pl.DataFrame:
    """Who had each case in turn; queues in capitals."""
    rows: list[Any] = [
        (case, CODES[name], name.isupper())
        for case, chain in enumerate(chains, start=first)
        for name in chain.split()
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        ("ann", {}),
        ("ann ann ann", {}),
        ("QUEUE ann", {"handovers": 1, "queue_to_person": 1}),
        ("ann QUEUE", {"handovers": 1, "person_to_queue": 1}),
        ("QUEUE DESK", {"handovers": 1}),
        ("ann bob ann", {"handovers": 2, "person_handovers": 2, "ping_pongs": 1}),
        ("ann bob bob ann bob", {"handovers": 3, "person_handovers": 3, "ping_pongs": 2}),
        ("ann bob eve ann", {"handovers": 3, "person_handovers": 3, "indirect_ping_pongs": 1}),
        (
            "ann bob eve ann eve ann",  # the second way back is direct: only eve in between
            {"handovers": 5, "person_handovers": 5, "ping_pongs": 2, "indirect_ping_pongs": 1},
        ),
        (
            "QUEUE ann QUEUE",
            {"handovers": 2, "queue_to_person": 1, "person_to_queue": 1}
            | {"ping_pongs": 1, "queue_ping_pongs": 1},
        ),
        (
            "QUEUE ann DESK QUEUE",
            {"handovers": 3, "queue_to_person": 1, "person_to_queue": 1}
            | {"indirect_ping_pongs": 1, "queue_indirect_ping_pongs": 1},
        ),
        ("? ann", {"handovers": 1}),
        ("ann ? ann", {"handovers": 2, "ping_pongs": 1}),
        ("? ann ?", {"handovers": 2}),
    ],
)
def test_one_case(chain: str, expected: dict[str, int]) -> None:
    assert handovers(owners(chain)).row(0, named=True) == {
        "case_ix": 0,
        **dict.fromkeys(COUNTS, 0),
        **expected,
    }


def test_cases_do_not_touch_and_concatenate() -> None:
    chains = ("ann bob", "bob ann bob", "ann", "QUEUE bob QUEUE")
    whole = handovers(owners(*chains))
    assert whole["handovers"].to_list() == [1, 2, 0, 2]
    assert whole["ping_pongs"].to_list() == [0, 1, 0, 1]
    parts = [handovers(owners(chain, first=case)) for case, chain in enumerate(chains)]
    assert pl.concat(parts).equals(whole)


def test_nobody() -> None:
    none = handovers(owners())
    assert none.height == 0
    assert none.columns == ["case_ix", *COUNTS]
