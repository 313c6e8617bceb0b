"""Tables of campaigns: the campaign with its roll-ups, and its members."""

from typing import Final

import numpy as np
import polars as pl

from crmmining.simulator.arrays import (
    DAY,
    END,
    FIRST_DAY,
    HOUR,
    NONE,
    START,
    Ints,
    amounts,
    count_by,
    days,
    pick,
    sum_by,
)
from crmmining.simulator.campaigns import (
    CAMPAIGN_TITLES,
    CAMPAIGN_TYPES,
    CAMPAIGNS,
    campaign_ids,
    campaign_start,
)
from crmmining.simulator.columns import audit, first_of, flag, joined, text
from crmmining.simulator.ids import in_order_of, make_ids
from crmmining.simulator.leads import Leads
from crmmining.simulator.opportunities import Opportunities
from crmmining.simulator.org import AUTOMATION, MARKETING
from crmmining.simulator.picklists import USUAL_RATES, WON
from crmmining.simulator.touches import Conversions
from crmmining.simulator.world import World

_DURATION: Final = 120 * DAY


def campaign_table(world: World, leads: Leads, opportunities: Opportunities, responses: Ints) -> pl.DataFrame:
    """Table Campaign; `responses` holds the campaign of every response. Money is in US dollars."""
    users = world.org.user_ids
    number = np.arange(CAMPAIGNS)
    start = campaign_start(number)
    created = start - 14 * DAY + 9 * HOUR
    source = number % len(CAMPAIGN_TYPES)
    ended = start + _DURATION <= world.until
    year = FIRST_DAY.year + (start - START) // (365 * DAY)
    of_lead = np.where(leads.created <= world.until, leads.campaign, NONE)
    of_deal = np.where(opportunities.created <= world.until, opportunities.campaign, NONE)
    converted = leads.campaign[leads.converted_at <= END]
    dollars = np.maximum(opportunities.amount, 0) / np.array(USUAL_RATES)[opportunities.currency]
    worth = np.rint(dollars).astype(np.int64)
    won = np.where(opportunities.stage == WON, of_deal, NONE)
    marketing = np.full(CAMPAIGNS, MARKETING)
    return pl.DataFrame(
        {
            "Id": campaign_ids(),
            "IsDeleted": flag(CAMPAIGNS),
            "Name": joined("{} {}-{}", pick(CAMPAIGN_TITLES, source), pl.Series(year), pl.Series(number)),
            "Type": pick(CAMPAIGN_TYPES, source),
            "Status": pick(["In Progress", "Completed"], ended.astype(np.int64)),
            "IsActive": pl.Series(~ended),
            "StartDate": days(start // DAY),
            "EndDate": days((start + _DURATION) // DAY),
            "BudgetedCost": amounts(5_000 + 1_500 * source),
            "ActualCost": amounts(4_600 + 1_700 * source),
            "NumberOfLeads": pl.Series(count_by(of_lead, CAMPAIGNS)),
            "NumberOfConvertedLeads": pl.Series(count_by(converted, CAMPAIGNS)),
            "NumberOfContacts": pl.Series(count_by(converted, CAMPAIGNS)),
            "NumberOfResponses": pl.Series(count_by(responses, CAMPAIGNS)),
            "NumberOfOpportunities": pl.Series(count_by(of_deal, CAMPAIGNS)),
            "NumberOfWonOpportunities": pl.Series(count_by(won, CAMPAIGNS)),
            "AmountAllOpportunities": amounts(sum_by(of_deal, worth, CAMPAIGNS)),
            "AmountWonOpportunities": amounts(sum_by(won, worth, CAMPAIGNS)),
            "OwnerId": users.gather(marketing),
            "CurrencyIsoCode": text("USD", CAMPAIGNS),
            **audit(users, created, marketing, created, marketing),
        }
    )


def member_table(
    world: World, leads: Leads, moves: Conversions, contacts: pl.Series
) -> tuple[pl.DataFrame, Ints]:
    """Table CampaignMember, one per lead that came by a campaign; also the campaign of every response."""
    dice, users = world.dice("members"), world.org.user_ids
    lead = np.flatnonzero(leads.campaign >= 0)
    count, since, moved = len(lead), leads.created[lead], leads.converted_at[lead]
    responded = dice.chance(count, 0.6)
    automation = np.full(count, AUTOMATION)
    contact = pick(contacts, moves.contact[lead])
    table = pl.DataFrame(
        {
            "Id": make_ids("CampaignMember", in_order_of(since)),
            "IsDeleted": flag(count),
            "CampaignId": campaign_ids().gather(leads.campaign[lead]),
            "LeadId": leads.ids.gather(lead),
            "ContactId": contact,
            "LeadOrContactId": first_of(contact, leads.ids.gather(lead)),
            "Status": pick(["Sent", "Responded"], responded.astype(np.int64)),
            "HasResponded": pl.Series(responded),
            "FirstRespondedDate": days(np.where(responded, since // DAY, NONE)),
            "Type": pick(["Lead", "Contact"], contact.is_not_null().cast(pl.Int64).to_numpy()),
            "CurrencyIsoCode": text("USD", count),
            **audit(users, since, automation, np.where(moved <= END, moved, since), automation),
        }
    )
    return table, leads.campaign[lead][responded & (since <= world.until)]
