"""What the SQL of a process does not read may be another thing in every row: its log stays the same."""

import re

import pytest
from polars.testing import assert_frame_equal

import crmmining as cm
from crmmining.extract import told_log
from crmmining.extract.phases import forget
from crmmining.extract.reading import Columns, columns_read

OTHER = {
    "id": "reverse({0})",
    "text": "reverse({0}) || '?'",
    "time": "NULL",
    "number": "coalesce({0}, 0) + 1",
    "integer": "coalesce({0}, 0) + 1",
    "boolean": "{0} IS NOT TRUE",
    "date": "{0} + 400",
    "datetime": "{0} + INTERVAL '400 days'",
}


@pytest.fixture(scope="module")
def crm(tmp_path_factory: pytest.TempPathFactory) -> cm.Crm:
    folder = tmp_path_factory.mktemp("crm")
    cm.simulate(folder, accounts=40, seed=5, quirks=True)
    return cm.connect(folder, max_quarantine=1)


@pytest.fixture(scope="module")
def read(crm: cm.Crm) -> dict[str, Columns]:
    return columns_read(crm.tables, list(crm.definitions.processes.values()), crm.definitions.stages)


def test_what_is_copied_on_the_way_and_never_looked_at_is_not_read(read: dict[str, Columns]) -> None:
    found = {name: sorted(columns["Account"] - {"Id", "Name"}) for name, columns in read.items()}
    assert "LastActivityDate" not in found["account"]
    assert set(found["lead"]).isdisjoint({"Industry", "OwnerId", "Type"})  # of the account it led to
    assert read["case"]["CaseComment"]
    assert not read["lead"].get("CaseComment")
    assert "IsActive" not in read["case"]["User"]


@pytest.mark.parametrize("process", ["account", "case"])
def test_law_columns_that_are_not_read_decide_nothing(
    process: str, crm: cm.Crm, read: dict[str, Columns]
) -> None:
    tables, definition = crm.tables, crm.definitions.process(process)
    con, home, moment = tables.connection, tables.home, crm.clock
    before = told_log(tables, definition, moment, crm.definitions.stages)
    forget(tables)
    compared = set(re.findall(r"\w+", definition.census))  # what the census tells is compared as a whole
    for name, columns in tables.columns.items():
        types = tables.spec.tables[name].columns
        others = [column for column in columns if column not in read[process][name] | compared]
        cells = ", ".join(f'"{column}" = ' + OTHER[types[column]].format(f'"{column}"') for column in others)
        if cells:
            con.execute(f'UPDATE {home}.crm."{name}" SET {cells}')  # noqa: S608  own names
    after = told_log(tables, definition, moment, crm.definitions.stages)
    forget(tables)
    assert_frame_equal(after.log.events, before.log.events)
    assert_frame_equal(after.log.cases, before.log.cases)
    assert_frame_equal(after.log.partitions[0].values, before.log.partitions[0].values)
    assert_frame_equal(after.log.quality, before.log.quality)
