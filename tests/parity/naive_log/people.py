"""Who is a queue, who is a program, who is a customer."""

from .rows import Tables

AUTOMATED = {"AutomatedProcess", "CloudIntegrationUser"}


def automated(tables: Tables) -> set[str]:
    """Users that are programs."""
    return {row["Id"] for row in tables.get("User", []) if row.get("UserType") in AUTOMATED}


class Queues:
    """Queues by Id and by name."""

    def __init__(self, tables: Tables) -> None:
        queues = [row for row in tables.get("Group", []) if row.get("Type") == "Queue"]
        self.ids = {row["Id"] for row in queues}
        self.names = {row["Name"] for row in queues}

    def holds(self, owner: str | None) -> bool:
        return owner is not None and (owner.startswith("00G") or owner in self.ids or owner in self.names)
