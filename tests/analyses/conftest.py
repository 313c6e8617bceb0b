"""Simulated logs that the tests of this folder share."""

import pytest

import crmmining as cm

APART = (
    *("Campaign", "CampaignMember", "Event", "Lead", "LeadHistory", "Opportunity", "OpportunityFieldHistory"),
    *("OpportunityHistory", "OpportunityLineItem", "ProcessInstance", "Quote"),
)


@pytest.fixture(scope="session")
def planted_cases(tmp_path_factory: pytest.TempPathFactory) -> cm.EventLog:
    """Enough cases to find in them what the simulator planted."""
    folder = tmp_path_factory.mktemp("planted_cases") / "crm"
    cm.simulate(folder, accounts=1000, seed=5, format="parquet", without=APART)
    return cm.connect(folder).event_log("case")
