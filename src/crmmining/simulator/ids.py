"""Salesforce record Ids: a key prefix, a running number in base 62, and a checksum of the letters' case."""

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from crmmining.simulator.arrays import Ints

KEY_PREFIXES: Final = {
    "Account": "001",
    "AccountHistory": "017",
    "BusinessHours": "01m",
    "Campaign": "701",
    "CampaignMember": "00v",
    "Case": "500",
    "CaseComment": "00a",
    "CaseHistory": "017",
    "CaseMilestone": "555",
    "CaseSolution": "010",
    "CaseStatus": "01J",
    "Contact": "003",
    "CurrencyType": "01L",
    "DatedConversionRate": "04w",
    "EmailMessage": "02s",
    "Entitlement": "550",
    "Event": "00U",
    "Group": "00G",
    "Holiday": "0C0",
    "Lead": "00Q",
    "LeadHistory": "017",
    "LeadStatus": "01N",
    "MilestoneType": "557",
    "Opportunity": "006",
    "OpportunityFieldHistory": "017",
    "OpportunityHistory": "008",
    "OpportunityLineItem": "00k",
    "OpportunityStage": "01P",
    "ProcessInstance": "04g",
    "Product2": "01t",
    "Profile": "00e",
    "Quote": "0Q0",
    "RecordType": "012",
    "Solution": "501",
    "Task": "00T",
    "User": "005",
    "UserRole": "00E",
}

_DIGITS: Final = np.frombuffer(
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", dtype=np.uint8
)
_CHECK: Final = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", dtype=np.uint8)
_INSTANCE: Final = b"5e0"
_SERIAL_DIGITS: Final = 9
_HISTORY_STRIDE: Final = 62**7
"""History objects share one key prefix, so that each gets a range of numbers of its own."""


def with_checksum(ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Append the three check letters to rows of 15 characters (byte codes).

    >>> row = np.frombuffer(b"006q000000Hddoh", dtype=np.uint8).reshape(1, 15)
    >>> with_checksum(row).tobytes()
    b'006q000000HddohAAB'
    """
    upper = (ids >= ord("A")) & (ids <= ord("Z"))
    blocks = upper.reshape(len(ids), 3, 5)
    codes = (blocks * np.array([1, 2, 4, 8, 16])).sum(axis=2)
    return np.concatenate([ids, _CHECK[codes]], axis=1)


def make_ids(table: str, numbers: Ints) -> pl.Series:
    """Build 18-character Ids of a table from running numbers.

    >>> make_ids("Account", np.array([0, 61, 62], dtype=np.int64)).to_list()
    ['0015e0000000001AAA', '0015e0000000010AAA', '0015e0000000011AAA']
    """
    rest = numbers + 1 + _range_of(table) * _HISTORY_STRIDE
    matrix = np.empty((len(numbers), 15), dtype=np.uint8)
    matrix[:, :6] = np.frombuffer(KEY_PREFIXES[table].encode() + _INSTANCE, dtype=np.uint8)
    for position in range(14, 14 - _SERIAL_DIGITS, -1):
        rest, digit = np.divmod(rest, 62)
        matrix[:, position] = _DIGITS[digit]
    checked = with_checksum(matrix)
    return (
        pl.Series(checked, dtype=pl.Array(pl.UInt8, 18))
        .cast(pl.List(pl.UInt8))
        .cast(pl.Binary)
        .cast(pl.String)
    )


def serials(table: str, ids: pl.Series) -> Ints:
    """Running numbers of a table's Ids, which `make_ids` turns into the same Ids again.

    >>> serials("LeadHistory", make_ids("LeadHistory", np.array([0, 61], dtype=np.int64))).tolist()
    [0, 61]
    """
    digits = np.frombuffer("".join(ids.str.slice(6, _SERIAL_DIGITS)).encode(), dtype=np.uint8)
    values = np.zeros(256, dtype=np.int64)
    values[_DIGITS] = np.arange(len(_DIGITS))
    powers = 62 ** np.arange(_SERIAL_DIGITS - 1, -1, -1, dtype=np.int64)
    numbers: Ints = values[digits].reshape(-1, _SERIAL_DIGITS) @ powers - 1
    return numbers - _range_of(table) * _HISTORY_STRIDE


def _range_of(table: str) -> int:
    """Which range of numbers a table has among those that share its key prefix."""
    prefix = KEY_PREFIXES[table]
    return sorted(name for name, key in KEY_PREFIXES.items() if key == prefix).index(table)


def numbered(table: str, count: int) -> pl.Series:
    """Ids of a table in running order."""
    return make_ids(table, np.arange(count, dtype=np.int64))


def in_order_of(created: Ints) -> Ints:
    """Running number of each record when records are numbered as they were created; ties keep their order."""
    serials = np.empty(len(created), dtype=np.int64)
    serials[np.argsort(created, kind="stable")] = np.arange(len(created), dtype=np.int64)
    return serials
