"""The main job on exports that other people made, where they lie beside the repository."""

from pathlib import Path

import polars as pl
import pytest

import crmmining as cm
from crmmining import batch

REAL = Path(__file__).resolve().parents[3] / "shared" / "realdata"
needs_data = pytest.mark.skipif(not REAL.is_dir(), reason="the exports are not part of the project")


@needs_data
def test_a_developer_org_with_us_short_dates(tmp_path: Path) -> None:
    with pytest.raises(cm.SourceError, match="36 x CreatedDate is not a datetime"):
        cm.connect(REAL / "developer_org")
    crm = cm.connect(REAL / "developer_org", datetime_format=["%m/%d/%y %I:%M %p", "%m/%d/%y"])
    assert crm.processes == ("opportunity",)
    out = batch.run(crm, tmp_path / "out", batch.Order())
    assert pl.read_parquet(out / "cases" / "opportunity.parquet").height == 36
    quality = pl.read_parquet(out / "quality.parquet")
    off = quality.filter(pl.col("disposition") == "off").select("table", "reason").rows()
    assert ("lead", "process: needs Lead.CreatedDate") in off
    assert ("opportunity", "KPI 'won_without_quote': needs Quote.CreatedDate") in off
    assert crm.scorecard(kpis=["win_rate"]).select("n", "open").row(0) == (20, 16)


@needs_data
def test_warehouse_landing_tables_in_snake_case(tmp_path: Path) -> None:
    with pytest.raises(cm.SourceError, match="table_names"):
        cm.connect(REAL / "warehouse_seeds")
    crm = cm.connect(REAL / "warehouse_seeds", table_names="sf_{}_data")
    out = batch.run(crm, tmp_path / "out", batch.Order())
    quality = pl.read_parquet(out / "quality.parquet")
    said = quality.filter(pl.col("disposition") == "finding", pl.col("table") == "AccountHistory")["reason"]
    assert "Fivetran history mode" in said.item()
    assert crm.event_log("lead").cases.height == 1
    assert crm.event_log("opportunity").cases.height == 0  # all ten are deleted records
    gone = quality.filter(pl.col("reason") == "case deleted or unknown")
    assert gone.select("table", "disposition").row(0) == ("opportunity events", "filtered")
