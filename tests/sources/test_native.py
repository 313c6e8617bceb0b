"""Typed Parquet columns are read as they are, and mean what their text would mean."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from crmmining import tables

Load = Callable[..., tables.Tables]
NOON = datetime(2024, 5, 6, 12, 30, 15, 250_000, tzinfo=UTC)
EARLY = datetime(1850, 1, 1, tzinfo=UTC)
LEADS = pl.DataFrame(
    {
        "Id": ["00Q5e0000000001EAA", "00Q5e0000000002EAA", "00Q5e0000000003EAA", "00Q5e0000000004EAA"],
        "CreatedDate": [NOON, NOON, EARLY, NOON],
        "LastModifiedDate": [NOON, None, NOON, NOON],
        "ConvertedDate": [date(2024, 5, 6), None, None, date(2300, 1, 1)],
        "IsConverted": [True, False, None, None],
        "AnnualRevenue": [1.5, -0.25, None, float("nan")],
        "NumberOfEmployees": [7, None, 8, 9],
        "Status": ["Open", "", None, "Open"],
    },
    schema_overrides={
        "CreatedDate": pl.Datetime("us", "UTC"),
        "LastModifiedDate": pl.Datetime("ms", "UTC"),
        "NumberOfEmployees": pl.Int32(),
    },
)


def written(place: Path, frame: pl.DataFrame) -> Path:
    place.mkdir()
    frame.write_parquet(place / "Lead.parquet")
    return place


@pytest.mark.parametrize("zoned", [True, False])
def test_typed_columns_give_what_their_text_gives(load: Load, tmp_path: Path, zoned: bool) -> None:  # noqa: FBT001
    moments = pl.col("CreatedDate", "LastModifiedDate")
    typed = LEADS if zoned else LEADS.with_columns(moments.dt.replace_time_zone(None))
    text = LEADS.with_columns(
        moments.dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ"),
        pl.exclude("CreatedDate", "LastModifiedDate").cast(pl.String),
    )
    one = load(written(tmp_path / "typed", typed), max_quarantine=1)
    other = load(written(tmp_path / "text", text), max_quarantine=1)
    read = "FROM crm.Lead ORDER BY Id"
    assert_frame_equal(one.connection.sql(read).pl(), other.connection.sql(read).pl())
    assert one.connection.sql("SELECT Id FROM crm.Lead ORDER BY Id").pl()["Id"].str.slice(
        14, 1
    ).to_list() == ["1", "2"]
    assert_frame_equal(one.quality, other.quality)
    reasons = one.quarantine.select("id", "reason").rows()
    assert reasons == other.quarantine.select("id", "reason").rows()
    assert reasons == [
        ("00Q5e0000000003EAA", "CreatedDate is not a datetime"),
        ("00Q5e0000000004EAA", "AnnualRevenue is not a number"),
    ]


def test_a_type_that_text_would_not_give_back_is_read_as_text(load: Load, tmp_path: Path) -> None:
    odd = LEADS.head(1).with_columns(
        pl.col("AnnualRevenue").cast(pl.Float32) / 15,
        pl.col("IsConverted").cast(pl.Int64),
        pl.lit(5).alias("Rating"),
    )
    loaded = load(written(tmp_path / "odd", odd), max_quarantine=1)
    row = loaded.connection.sql("SELECT AnnualRevenue, IsConverted, Rating FROM crm.Lead").pl().row(0)
    assert row == (0.1, True, "5")
