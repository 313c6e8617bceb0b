"""What [org] says about money reaches the log."""

from pathlib import Path

import duckdb
import pytest

from crmmining import DefinitionError, connect
from crmmining.definitions import read_catalogue

DEALS = """
CREATE TABLE Opportunity AS SELECT * FROM (VALUES
    ('006000000000001AAA', TIMESTAMPTZ '2024-01-10 09:00Z', 'New', 100.0, DATE '2024-08-01', 'USD'),
    ('006000000000002AAA', TIMESTAMPTZ '2024-01-11 09:00Z', 'New', 100.0, DATE '2024-08-01', 'EUR'),
    ('006000000000003AAA', TIMESTAMPTZ '2024-01-12 09:00Z', 'New', 100.0, DATE '2024-08-01', 'NOK'))
    AS row(Id, CreatedDate, StageName, Amount, CloseDate, CurrencyIsoCode);
CREATE TABLE CurrencyType AS SELECT * FROM (VALUES
    ('01L000000000001AAA', 'EUR', 1.0, TRUE), ('01L000000000002AAA', 'USD', 1.25, FALSE))
    AS row(Id, IsoCode, ConversionRate, IsCorporate);
CREATE TABLE DatedConversionRate AS SELECT * FROM (VALUES
    ('04w000000000001AAA', 'USD', 1.0, DATE '2024-01-01', DATE '2024-07-01'),
    ('04w000000000002AAA', 'USD', 2.0, DATE '2024-07-01', DATE '9999-12-31'))
    AS row(Id, IsoCode, ConversionRate, StartDate, NextStartDate);
"""


def overlay(folder: Path, org: str) -> Path:
    (folder / "salesforce").mkdir()
    (folder / "salesforce" / "source.toml").write_text(f"[org]\n{org}\n")
    return folder


@pytest.mark.parametrize(
    ("org", "currency", "values"),
    [
        ("", "EUR", [50.0, 100.0, None]),
        ('conversion_date = "created"', "EUR", [100.0, 100.0, None]),
        ("conversion_date = 2024-06-30", "EUR", [100.0, 100.0, None]),
        ('reporting_currency = "USD"', "USD", [100.0, 200.0, None]),
    ],
)
def test_amounts_follow_what_the_org_states(
    tmp_path: Path, org: str, currency: str, values: list[float | None]
) -> None:
    with duckdb.connect() as database:
        database.execute(DEALS)
        crm = connect(database, extractors=[overlay(tmp_path, org)])
    cases = crm.event_log("opportunity").cases.sort("case_id")
    assert cases["amount_reporting"].to_list() == values
    assert cases["reporting_currency"].to_list() == [currency] * 3
    assert cases["amount"].to_list() == [100.0, 100.0, 100.0]


@pytest.mark.parametrize("org", ['conversion_date = "whenever"', 'reporting_currency = "euro"'])
def test_a_policy_or_currency_that_cannot_be_is_refused(tmp_path: Path, org: str) -> None:
    with pytest.raises(DefinitionError, match=r"source.toml: org\." + org.split(maxsplit=1)[0]):
        read_catalogue(extractors=[overlay(tmp_path, org)])
