"""KPIs of deals and leads on three opportunities and their leads, answered by hand."""

from collections.abc import Callable
from pathlib import Path

import crmmining as cm

DEAL = "00600000000000"
LEAD = "00Q00000000000"
DEALS = [
    "Id,CreatedDate,StageName,IsClosed,IsWon,Amount,CloseDate,LastStageChangeDate",
    f"{DEAL}1,2024-01-01 09:00,Closed Won,true,true,80,2024-02-20,2024-02-20 09:00",  # a lead long before
    f"{DEAL}2,2024-01-05 09:00,Closed Won,true,true,60,2024-01-08,2024-01-08 09:00",  # one three days before
    f"{DEAL}3,2024-01-01 09:00,Closed Lost,true,false,10,2024-03-01,2024-03-01 09:00",
]
HISTORY = [
    "Id,OpportunityId,CreatedDate,Field,OldValue,NewValue",
    f"017000000000001,{DEAL}1,2024-01-01 09:00,created,,",
    f"017000000000002,{DEAL}1,2024-01-10 09:00,CloseDate,2024-01-20,2024-02-10",  # 21 days
    f"017000000000003,{DEAL}1,2024-01-11 09:00,CloseDate,2024-02-10,2024-02-05",  # back by 5
    f"017000000000004,{DEAL}1,2024-01-12 09:00,CloseDate,2024-02-05,2024-02-20",  # 15 days
    f"017000000000005,{DEAL}1,2024-01-13 09:00,Amount,100,120.5",
    f"017000000000006,{DEAL}1,2024-01-14 09:00,Amount,120.5,80",
    f"017000000000007,{DEAL}1,2024-02-20 09:00,StageName,Proposal,Closed Won",
    f"017000000000008,{DEAL}2,2024-01-05 09:00,created,,",
    f"017000000000009,{DEAL}2,2024-01-06 09:00,Amount,50,60",
    f"017000000000010,{DEAL}2,2024-01-08 09:00,StageName,Proposal,Closed Won",
    f"017000000000011,{DEAL}3,2024-01-01 09:00,created,,",
    f"017000000000012,{DEAL}3,2024-01-02 09:00,CloseDate,2024-02-25,2024-03-01",  # 5 days, over 29 February
    f"017000000000013,{DEAL}3,2024-03-01 09:00,StageName,Proposal,Closed Lost",
]
LEADS = [
    "Id,CreatedDate,Status,IsConverted,ConvertedDate,ConvertedOpportunityId",
    f"{LEAD}1,2023-12-20 09:00,Qualified,true,2024-01-01,{DEAL}1",
    f"{LEAD}2,2023-12-21 09:00,Qualified,true,2024-01-05,{DEAL}2",
    f"{LEAD}3,2023-12-22 09:00,Closed - Not Converted,false,,",
]
LEAD_HISTORY = [
    "Id,LeadId,CreatedDate,Field,OldValue,NewValue",
    f"018000000000001,{LEAD}1,2023-12-20 09:00,created,,",
    f"018000000000002,{LEAD}1,2024-01-01 09:00,leadConverted,,",
    f"018000000000003,{LEAD}2,2023-12-21 09:00,created,,",
    f"018000000000004,{LEAD}2,2024-01-05 09:00,leadConverted,,",
    f"018000000000005,{LEAD}3,2023-12-22 09:00,created,,",
    f"018000000000006,{LEAD}3,2024-01-03 09:00,Status,New,Closed - Not Converted",
]
ANSWERS = {  # figure and how many it counts
    "push_days": ((36 + 0 + 5) / 3, 3),
    "pushed_beyond_a_month": (1 / 3, 3),
    "pushed_and_lost": (1 / 2, 2),
    "amount_raised": (2 / 3, 3),
    "won_below_first_amount": (1 / 2, 2),
    "opportunities_without_lead": (1 / 3, 3),
    "won_just_after_conversion": (1 / 2, 2),
    "converted_just_before_win": (1 / 2, 2),
    "lead_disqualification": (1 / 3, 3),
}


def test_answers_by_hand(write: Callable[..., Path]) -> None:
    folder = write(Opportunity=DEALS, OpportunityFieldHistory=HISTORY, Lead=LEADS, LeadHistory=LEAD_HISTORY)
    crm = cm.connect(str(folder))
    rows = crm.scorecard(kpis=list(ANSWERS))
    assert {kpi: (value, n) for kpi, value, n in rows.select("kpi", "value", "n").rows()} == ANSWERS
    facts = crm.event_log("opportunity").facts.select("push_days", "pull_days", "amount_delta")
    assert facts.rows() == [(36.0, -5.0, -20.0), (0.0, 0.0, 10.0), (5.0, 0.0, 0.0)]
