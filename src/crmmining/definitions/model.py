"""The base of all pieces of a definition."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class Model(BaseModel):
    """A frozen piece of a definition; keys nobody knows are faults."""

    model_config = ConfigDict(frozen=True, extra="forbid")
