"""People behind keyed pseudonyms: what is replaced, what stays, and that the key is all it takes."""

import hmac
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from crmmining import tables
from crmmining.definitions import read_catalogue
from crmmining.errors import SourceError
from crmmining.tables.identities import keyed
from crmmining.tables.spec import PeopleSpec, PersonSpec

from .named import (
    ANN,
    BOB,
    CANARIES,
    CASE,
    COMPANY,
    CONTACT,
    DEAL,
    FILES,
    KEY,
    LEAD,
    OTHER_KEY,
    PERSON,
    QUEUE,
    ROBOT,
    Hidden,
    every_text,
    long_id,
)


def token(kind: str, text: str, key: str | bytes = KEY) -> str:
    """The reference: Python's own HMAC-SHA256."""
    secret = key.encode() if isinstance(key, str) else key
    return hmac.new(secret, f"{kind}:{text}".encode(), "sha256").hexdigest()[:12]


def hidden_id(person: str, key: str | bytes = KEY) -> str:
    return f"005{token('id', person[:15], key)}AAA"


def hidden_name(name: str) -> str:
    return f"Person {token('name', name)}"


def values(read: tables.Tables, sql: str) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = read.connection.sql(sql).fetchall()
    return rows


@pytest.mark.parametrize(
    "key", [b"k" * 16, b"k" * 64, b"k" * 65, "Schlüssel aus Worten".encode(), b"\0\xff" * 9]
)
def test_tokens_are_hmac_sha256(key: bytes) -> None:
    with duckdb.connect(":memory:") as con, keyed(con, key):
        found = con.sql("SELECT keyed_token('name', 'Zoë'), keyed_token('id', NULL)").fetchall()
    assert found == [(token("name", "Zoë", key), None)]


def test_the_key_leaves_the_connection(folder: Path, hidden: Hidden) -> None:
    con = hidden(folder).connection
    assert con.sql("SELECT count(*) FROM duckdb_variables()").fetchall() == [(0,)]
    assert con.sql(
        "SELECT count(*) FROM duckdb_functions() WHERE function_name = 'keyed_token'"
    ).fetchall() == [(0,)]
    assert con.sql("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'people'").fetchall() == [(0,)]


def test_no_canary_is_left_in_the_tables(
    folder: Path, hidden: Hidden, load: Callable[..., tables.Tables]
) -> None:
    plain, found = every_text(load(folder)).lower(), every_text(hidden(folder)).lower()
    assert [word for word in CANARIES if word.lower() not in plain] == []
    assert [word for word in CANARIES if word.lower() in found] == []
    assert [person for person in (ANN, BOB, ROBOT) if person[:15].lower() in found] == []


def test_people_and_all_that_points_to_them(folder: Path, hidden: Hidden) -> None:
    read = hidden(folder)
    assert values(
        read, "SELECT Id, Name, Username, ManagerId FROM crm.User ORDER BY ManagerId NULLS LAST, Id"
    )[0] == (
        hidden_id(ANN),
        hidden_name("Ann Zzyzx"),
        hidden_name("ann@zzyzx.example"),
        hidden_id(BOB),
    )
    assert values(read, 'SELECT OwnerId, CreatedById, ContactId FROM crm."Case"') == [
        (hidden_id(ANN), hidden_id(ROBOT), CONTACT)
    ]
    assert values(read, "SELECT DISTINCT CreatedById FROM crm.OpportunityFieldHistory") == [(hidden_id(ANN),)]


def test_pseudonymous_ids_are_valid_ids_of_people() -> None:
    assert hidden_id(ANN) == long_id(hidden_id(ANN)[:15])
    assert hidden_id(ANN).startswith("005")


def test_queues_keep_their_id_and_name(folder: Path, hidden: Hidden) -> None:
    read = hidden(folder)
    assert values(read, 'SELECT Id, Name FROM crm."Group"') == [(QUEUE, "Second Line")]
    assert values(read, "SELECT OwnerId FROM crm.Lead") == [(QUEUE,)]


def test_only_persons_among_accounts_lose_their_names(folder: Path, hidden: Hidden) -> None:
    read = hidden(folder)
    assert values(read, "SELECT Id, Name FROM crm.Account ORDER BY Id") == [
        (PERSON, hidden_name("Cy Brambleworth")),
        (COMPANY, "Acme Ltd"),
    ]
    assert values(read, "SELECT OldValue, NewValue FROM crm.AccountHistory ORDER BY Id") == [
        (hidden_name("Cy Dapplegrim"), hidden_name("Cy Brambleworth")),
        ("Acme", "Acme Ltd"),
    ]


def test_accounts_that_do_not_tell_persons_from_companies_all_lose_their_names(
    write: Callable[..., Path], hidden: Hidden
) -> None:
    folder = write(Account=["Id,Name,CreatedDate", f"{COMPANY},Acme Ltd,2024-01-01"])
    read = hidden(folder)
    assert values(read, "SELECT Name FROM crm.Account") == [(hidden_name("Acme Ltd"),)]
    assert read.findings.filter(table="Account")["finding"].item() == (
        "nothing tells people from others (IsPersonAccount or PersonContactId is missing): "
        "every name is replaced"
    )


def test_the_findings_say_that_people_are_replaced_and_how_many(folder: Path, hidden: Hidden) -> None:
    found = hidden(folder).findings.filter(finding="people are replaced by keyed pseudonyms")
    assert found.rows() == [("User", "people are replaced by keyed pseudonyms", 3, [])]


def test_leads_contacts_and_free_text(folder: Path, hidden: Hidden) -> None:
    read = hidden(folder)
    assert values(read, "SELECT Id, Name, Company FROM crm.Lead") == [
        (LEAD, hidden_name("Flo Hollowmere"), f"Text {token('text', 'Hollowmere & Daughters')}")
    ]
    assert values(read, "SELECT Name FROM crm.Contact") == [(hidden_name("Di Oxenthwaite"),)]
    assert values(read, "SELECT Subject FROM crm.Task") == [(f"Text {token('text', 'Call Di Oxenthwaite')}",)]
    assert values(read, "SELECT Id, Name, NextStep FROM crm.Opportunity") == [
        (
            DEAL,
            f"Text {token('text', 'Brambleworth kitchen')}",
            f"Text {token('text', 'Ring Cy Brambleworth')}",
        )
    ]


def test_histories_of_people_and_of_other_fields(folder: Path, hidden: Hidden) -> None:
    read = hidden(folder)
    assert values(read, "SELECT Field, OldValue, NewValue FROM crm.OpportunityFieldHistory ORDER BY Id") == [
        (
            "NextStep",
            f"Text {token('text', 'Ring Bob Quillfeather')}",
            f"Text {token('text', 'Ring Cy Brambleworth')}",
        ),
        ("Owner", hidden_name("Bob Quillfeather"), hidden_name("Ann Zzyzx")),
        ("Owner", hidden_id(BOB)[:15], hidden_id(ANN)),
        ("Account", "Acme Ltd", hidden_name("Cy Brambleworth")),
        ("Coach__c", None, hidden_name("Bob Quillfeather")),
        ("Coach__c", None, hidden_id(BOB)),
        ("StageName", "Prospecting", "Proposal"),
    ]
    assert values(read, "SELECT Field, OldValue, NewValue FROM crm.CaseHistory ORDER BY Id") == [
        ("Owner", "Second Line", hidden_name("Ann Zzyzx")),
        ("Owner", QUEUE, hidden_id(ANN)),
        ("Contact", hidden_name("Eve Dapplegrim"), hidden_name("Di Oxenthwaite")),
        ("ownerAssignment", hidden_name("Eve Dapplegrim"), hidden_name("Ann Zzyzx")),
    ]
    assert values(read, "SELECT Field, NewValue FROM crm.LeadHistory ORDER BY Id") == [
        ("Name", hidden_name("Flo Hollowmere")),
        ("Status", "Working"),
        ("Email", f"Text {token('text', 'b@dapplegrim.example')}"),
    ]


def test_rows_keep_their_order(folder: Path, hidden: Hidden) -> None:
    read = hidden(folder)
    assert [row[0] for row in values(read, "SELECT Id FROM crm.OpportunityFieldHistory")] == [
        line.split(",")[0] + "AAA" for line in FILES["OpportunityFieldHistory"][1:]
    ]


def test_one_key_one_pseudonym_and_another_key_another(folder: Path, hidden: Hidden) -> None:
    asked = 'SELECT OwnerId FROM crm."Case"'
    assert values(hidden(folder), asked) == values(hidden(folder, KEY.encode()), asked) == [(hidden_id(ANN),)]
    assert values(hidden(folder, OTHER_KEY), asked) == [(hidden_id(ANN, OTHER_KEY),)]
    assert hidden_id(ANN, OTHER_KEY) != hidden_id(ANN)


def test_of_a_quarantined_row_only_table_place_and_reason_are_kept(
    write: Callable[..., Path], hidden: Hidden
) -> None:
    folder = write(
        Account=["Id,Name,CreatedDate", f"{COMPANY},Acme,2024-01-01"],
        User=[
            "Id,Name,CreatedDate",
            f"{ANN},Ann Zzyzx,2024-01-01",
            f"{ANN},Ann Quillfeather,2024-01-01",
            "Bob Brambleworth,Bob,2024-01-01",
            f"{ROBOT},Night Job,Oxenthwaite",
        ],
    )
    read = hidden(folder)
    assert read.quarantine.rows() == [
        ("User", 1, hidden_id(ANN), "same Id, different values", None, None),
        ("User", 2, hidden_id(ANN), "same Id, different values", None, None),
        ("User", 3, None, "Id is not a Salesforce Id", None, None),
        ("User", 4, hidden_id(ROBOT), "CreatedDate is not a datetime", None, None),
    ]
    users = read.quality.filter(table="User", disposition="quarantined").sort("reason")
    assert users["examples"].to_list() == [[hidden_id(ROBOT)], [], [hidden_id(ANN)]]


def test_the_refusal_of_a_spoilt_table_names_nobody(write: Callable[..., Path], hidden: Hidden) -> None:
    folder = write(
        Lead=["Id,Name,Status,CreatedDate", "Flo Hollowmere,Flo,New,Zzyzx", f"{LEAD},Flo,New,Zzyzx"]
    )
    with pytest.raises(SourceError) as caught:
        hidden(folder)
    assert f"{LEAD}" in str(caught.value)
    assert [word for word in CANARIES if word in str(caught.value)] == []


def test_a_file_that_breaks_names_its_line_and_nobody(write: Callable[..., Path], hidden: Hidden) -> None:
    folder = write(Lead=["Id,Name,Status,CreatedDate", f"{LEAD},Flo Hollowmere,New,2024-01-01,more"])
    with pytest.raises(SourceError, match="line 2") as caught:
        hidden(folder)
    assert "Hollowmere" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_findings_show_people_by_pseudonym(write: Callable[..., Path], hidden: Hidden) -> None:
    folder = write(
        Account=["Id,Name,CreatedDate", f"{COMPANY},Acme,2024-01-01"],
        User=["Id,Name,ManagerId,CreatedDate", f"{ANN},Ann Zzyzx,Bob Quillfeather,2024-01-01"],
    )
    found = hidden(folder).findings.filter(finding="ManagerId is not a Salesforce Id: set to null")
    assert found["examples"].to_list() == [[hidden_id(ANN)]]


@pytest.mark.parametrize("key", ["", "short", b"fifteen bytes.."])
def test_short_keys_are_refused_and_not_shown(folder: Path, hidden: Hidden, key: str | bytes) -> None:
    with pytest.raises(SourceError, match="must have 16 or more") as caught:
        hidden(folder, key)
    assert not key or str(key) not in str(caught.value)


def test_a_source_that_names_no_people_is_refused(
    folder: Path, hidden: Hidden, spec: tables.SourceSpec
) -> None:
    with pytest.raises(SourceError, match=r"does not say who its people are: state \[people\]"):
        hidden(folder, spec=spec.model_copy(update={"people": None}))


def test_ids_that_tell_nothing_are_replaced_where_columns_point_to_people(
    write: Callable[..., Path], hidden: Hidden, spec: tables.SourceSpec
) -> None:
    people = PeopleSpec(table="User", ids=("OwnerId", "CreatedById"), fields={"Owner": ("Group",)})
    known = {
        "User": tables.TableSpec(columns={"Id": "id", "Name": "text"}, people=PersonSpec(names=("Name",))),
        "Group": tables.TableSpec(columns={"Id": "id", "Name": "text"}),
        "Case": tables.TableSpec(columns={"Id": "id", "OwnerId": "id", "AccountId": "id"}),
        "CaseHistory": tables.TableSpec(
            columns={"Id": "id", "CaseId": "id", "Field": "text", "OldValue": "text", "NewValue": "text"},
            parent=tables.ParentSpec(column="CaseId", table="Case"),
        ),
    }
    source = tables.SourceSpec(name="other", people=people, tables=known)
    folder = write(
        User=["Id,Name", "7,Ann Zzyzx"],
        Group=["Id,Name", "8,Second Line"],
        Case=["Id,OwnerId,AccountId", "1,7,7", "2,8,7", "3,9,7"],
        CaseHistory=["Id,CaseId,Field,OldValue,NewValue", "1,1,Owner,8,7", "2,1,Owner,Second Line,Ann Zzyzx"],
    )
    read = hidden(folder, spec=source)
    ann, gone = f"person-{token('id', '7')}", f"person-{token('id', '9')}"
    assert values(read, "FROM crm.User") == [(ann, hidden_name("Ann Zzyzx"))]
    assert values(read, 'FROM crm."Case" ORDER BY Id') == [("1", ann, "7"), ("2", "8", "7"), ("3", gone, "7")]
    assert values(read, "SELECT OldValue, NewValue FROM crm.CaseHistory ORDER BY Id") == [
        ("8", ann),
        ("Second Line", hidden_name("Ann Zzyzx")),
    ]
    assert spec.people is not None
    assert spec.people.prefix == "005"


def test_a_column_of_the_org_that_names_people_is_replaced_where_the_overlay_says_so(
    write: Callable[..., Path], hidden: Hidden, tmp_path: Path
) -> None:
    own = tmp_path / "own" / "salesforce"
    own.mkdir(parents=True)
    (own / "source.toml").write_text(
        '[tables.Case.columns]\nReported_By__c = "text"\n[tables.Case.people]\nnames = ["Reported_By__c"]\n'
    )
    folder = write(
        Case=["Id,Status,CreatedDate,Reported_By__c", f"{CASE},New,2024-01-01,Eve Dapplegrim"],
        CaseHistory=[
            "Id,CaseId,CreatedDate,Field,OldValue,NewValue",
            f"017000000000001,{CASE},2024-01-02,Reported_By__c,Flo Hollowmere,Eve Dapplegrim",
        ],
    )
    read = hidden(folder, spec=read_catalogue(extractors=[tmp_path / "own"]).source)
    assert values(read, 'SELECT Reported_By__c FROM crm."Case"') == [(hidden_name("Eve Dapplegrim"),)]
    assert values(read, "SELECT OldValue, NewValue FROM crm.CaseHistory") == [
        (hidden_name("Flo Hollowmere"), hidden_name("Eve Dapplegrim"))
    ]
