"""Names as sources spell them, matched to canonical names: `CreatedDate` = `created_date` = `CREATEDDATE`."""

import re
from collections.abc import Iterable, Sequence

_MACHINERY = ("_fivetran_", "_airbyte_", "_sdc_", "_dlt_", "cdp_sys_")
_PACKAGE = re.compile(r"^(std|ssot)__", re.IGNORECASE)
_SPLIT = re.compile(r"^(?P<name>.+)__(st|it|fl|de|bo|da|dt)$", re.IGNORECASE)
_CUSTOM = "__c"


def canonical(name: str) -> str:
    """`name` reduced to what every tool keeps of it: its letters and digits in lower case.

    >>> canonical("CreatedDate") == canonical("created_date") == canonical("std__CreatedDate")
    True
    >>> canonical("Status__c")
    'statusc'
    """
    return re.sub(r"[^a-z0-9]", "", _PACKAGE.sub("", name).lower())


def is_machinery(column: str) -> bool:
    """Whether a loading tool added this column for itself.

    >>> is_machinery("_fivetran_synced"), is_machinery("CreatedDate")
    (True, False)
    """
    return column.lower().startswith(_MACHINERY)


def match_columns(raw: Sequence[str], declared: Iterable[str]) -> dict[str, list[int]]:
    """Which raw columns, by position, stand for which declared column, in declared order.

    Several positions for one column mean a collision, except that the parts of a value which the loading
    tool has split by type (`newvalue__st`, `newvalue__fl`) belong together: `are_parts` tells. In a table
    that spells its very key `Id__c` every standard name carries that suffix, which is then removed.
    """
    known = {canonical(name): name for name in declared}
    usable = [(at, name) for at, name in enumerate(raw) if not is_machinery(name)]
    plain = {canonical(name) for _, name in usable}
    suffixed = "id" in known and "id" not in plain and "idc" in plain
    found: dict[str, list[int]] = {name: [] for name in known.values()}
    parts: dict[str, list[int]] = {name: [] for name in known.values()}
    for at, name in usable:
        stem = name[: -len(_CUSTOM)] if suffixed and name.lower().endswith(_CUSTOM) else name
        if target := known.get(canonical(stem)):
            found[target].append(at)
        elif (split := _SPLIT.match(name)) and (target := known.get(canonical(split["name"]))):
            parts[target].append(at)
    return {name: at or parts[name] for name, at in found.items() if at or parts[name]}


def are_parts(names: Iterable[str]) -> bool:
    """Whether these raw names are the typed parts of one split value.

    >>> are_parts(["newvalue__st", "newvalue__fl"]), are_parts(["Status", "status"])
    (True, False)
    """
    return all(_SPLIT.match(name) for name in names)


def table_name(raw: str, pattern: str) -> str | None:
    """The part of a raw table name that stands where `pattern` has `{}`; None when it does not fit.

    >>> table_name("sf_account_data", "sf_{}_data"), table_name("orders", "sf_{}_data")
    ('account', None)
    """
    before, _, after = pattern.partition("{}")
    fit = re.fullmatch(f"{re.escape(before)}(.+){re.escape(after)}", raw, re.IGNORECASE | re.DOTALL)
    return fit[1] if fit else None
