"""Users that are programs, as the org states them."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from crmmining import tables

from .named import ANN, BOB, KEY, Hidden, long_id

Load = Callable[..., tables.Tables]


def stating(spec: tables.SourceSpec, *words: str) -> tables.SourceSpec:
    assert spec.people is not None
    return spec.model_copy(update={"people": spec.people.model_copy(update={"automated": words})})


def listed(read: tables.Tables) -> list[str]:
    return [row[0] for row in read.connection.sql("FROM crm_load.automated ORDER BY Id").fetchall()]


def test_nobody_is_stated_unasked(folder: Path, load: Load) -> None:
    assert listed(load(folder)) == []


@pytest.mark.parametrize("word", [BOB, BOB[:15], "bob@quillfeather.example", "Bob Quillfeather"])
def test_an_org_states_its_own(folder: Path, load: Load, spec: tables.SourceSpec, word: str) -> None:
    read = load(folder, spec=stating(spec, word))
    assert listed(read) == [BOB]
    assert read.findings.filter(table="User")["finding"].to_list() == ["1 undeclared column(s) ignored"]


def test_an_id_counts_without_its_user_and_another_word_does_not(
    folder: Path, load: Load, spec: tables.SourceSpec
) -> None:
    stranger = long_id("005A00000000009")
    read = load(folder, spec=stating(spec, stranger[:15], "Data Loader"))
    assert listed(read) == [stranger]
    assert read.findings.filter(
        table="User", finding="[people] automated states who is no user of the source"
    ).select("rows", "examples").rows() == [(None, ["Data Loader"])]


def test_without_users_only_stated_ids_count(
    write: Callable[..., Path], load: Load, spec: tables.SourceSpec
) -> None:
    folder = write(Account=["Id,CreatedDate", "001000000000001,2024-01-01"])
    assert listed(load(folder, spec=stating(spec, ANN, "Ann Zzyzx"))) == [ANN]


def test_pseudonyms_hide_who_was_stated(
    folder: Path, hidden: Hidden, load: Load, spec: tables.SourceSpec
) -> None:
    plain = load(folder, spec=stating(spec, "Bob Quillfeather"))
    read = hidden(folder, KEY, spec=stating(spec, "Bob Quillfeather", "Eve Dapplegrim"))
    asked = "SELECT ManagerId, UserType FROM crm.User WHERE Id IN (SELECT Id FROM crm_load.automated)"
    assert listed(plain) == [BOB]
    assert (
        plain.connection.sql(asked).fetchall()
        == read.connection.sql(asked).fetchall()
        == [(None, "Standard")]
    )
    assert len(listed(read)) == 1
    unknown = read.findings.filter(pl.col("finding").str.contains("automated"))
    assert unknown.select("rows", "examples").rows() == [(None, [])]
