"""Every law on Sail, through Spark Connect."""

import pytest

from crmmining.scale import Spark

from .laws import Laws


@pytest.fixture
def engine(sail: Spark) -> Spark:
    return sail


@pytest.fixture
def processes() -> tuple[str, ...]:
    return ("account", "case", "lead", "opportunity")


class TestSail(Laws):
    """On Sail."""
