-- Opportunity management: one case per opportunity. Runs after source.sql, wherever the Salesforce tables are visible.
-- Read `cases` first (what we know of each opportunity), then `events`: every CTE is one source of events.

CREATE OR REPLACE TEMP VIEW cases AS
WITH
main_product AS (  -- the line that is worth most speaks for the opportunity
  SELECT DISTINCT ON (i.OpportunityId) i.OpportunityId, coalesce(p.Name, i.Name, i.ProductCode) AS product
  FROM OpportunityLineItem AS i
  LEFT JOIN Product2 AS p ON p.Id = i.Product2Id
  WHERE i.IsDeleted IS NOT TRUE
  ORDER BY i.OpportunityId, i.TotalPrice DESC NULLS LAST, i.Id
),
known AS (  -- since when field history is known; snapshots stand in where there is none
  SELECT coalesce((SELECT min(CreatedDate) FROM OpportunityFieldHistory),
    (SELECT min(CreatedDate) FROM OpportunityHistory)) AS since
),
first_snapshot AS (
  SELECT OpportunityId, min(CreatedDate) AS moment FROM OpportunityHistory GROUP BY OpportunityId
),
creation_row AS (
  SELECT DISTINCT OpportunityId FROM OpportunityFieldHistory
  WHERE Field IN ('created', 'opportunityCreatedFromLead')
),
from_lead AS (
  SELECT DISTINCT ConvertedOpportunityId AS opportunity_id FROM Lead WHERE ConvertedOpportunityId IS NOT NULL
)
SELECT
  o.Id AS case_id,
  o.CreatedDate AS created_at,
  coalesce(o.CreatedDate < k.since, FALSE) AND c.OpportunityId IS NULL
    AND coalesce(s.moment > o.CreatedDate + INTERVAL '1 minute', TRUE) AS truncated,
  h.owner,
  h.manager,
  h.region,
  h.team,
  h.profile,
  t.DeveloperName AS record_type,
  o.LeadSource AS source,
  g.Name AS campaign,
  i.product,
  a.Name AS account,
  a.Industry AS industry,
  coalesce(a.BillingCountry, a.BillingCountryCode) AS country,
  o.Type AS type,
  o.StageName AS stage,
  o.ForecastCategoryName AS forecast_category,
  o.CurrencyIsoCode AS currency,
  o.Amount AS amount,
  o.ExpectedRevenue AS expected_revenue,
  o.Probability AS probability,
  o.CloseDate AS close_date,
  l.opportunity_id IS NOT NULL AS from_lead,
  o.AccountId AS account_id
FROM Opportunity AS o
CROSS JOIN known AS k
LEFT JOIN creation_row AS c ON c.OpportunityId = o.Id
LEFT JOIN first_snapshot AS s ON s.OpportunityId = o.Id
LEFT JOIN people AS h ON h.Id = o.OwnerId
LEFT JOIN RecordType AS t ON t.Id = o.RecordTypeId
LEFT JOIN Campaign AS g ON g.Id = o.CampaignId
LEFT JOIN main_product AS i ON i.OpportunityId = o.Id
LEFT JOIN Account AS a ON a.Id = o.AccountId
LEFT JOIN from_lead AS l ON l.opportunity_id = o.Id
WHERE o.IsDeleted IS NOT TRUE;

CREATE OR REPLACE TEMP VIEW events AS
WITH
created AS (
  SELECT Id AS case_id, 'Create Opportunity' AS activity, CreatedDate AS occurred_at, CreatedDate AS recorded_at,
    CreatedById AS actor, 0 AS rank, Id AS source_id, NULL AS old_value, NULL AS new_value, NULL AS direction,
    FALSE AS date_only
  FROM Opportunity
),
stage_changes AS (FROM opportunity_moves()),
snapshot AS (FROM opportunity_saves()),
amount_rows AS (  -- no amount counts as 0, one that reads as no number as unknown
  SELECT Id, OpportunityId, CreatedDate, CreatedById, OldValue, NewValue,
    CASE WHEN OldValue IS NULL THEN 0 ELSE TRY_CAST(OldValue AS DOUBLE) END AS before,
    CASE WHEN NewValue IS NULL THEN 0 ELSE TRY_CAST(NewValue AS DOUBLE) END AS after
  FROM OpportunityFieldHistory
  WHERE Field = 'Amount' AND OldValue IS DISTINCT FROM NewValue
  UNION ALL
  SELECT Id, OpportunityId, CreatedDate, CreatedById, CAST(old_amount AS VARCHAR), CAST(Amount AS VARCHAR),
    coalesce(old_amount, 0), coalesce(Amount, 0)
  FROM snapshot
  WHERE tells_amount
),
amount_changes AS (
  SELECT OpportunityId, CASE WHEN after > before THEN 'Raise Amount' WHEN after < before THEN 'Lower Amount'
      ELSE 'Change: Amount' END,
    CreatedDate, CreatedDate, CreatedById, 150, Id, OldValue, NewValue, NULL, FALSE
  FROM amount_rows
  WHERE coalesce(after <> before, TRUE)
),
close_date_rows AS (
  SELECT Id, OpportunityId, CreatedDate, CreatedById,
    -- only dates that read one way; a locale's own spelling is never guessed
    CASE WHEN regexp_matches(OldValue, '^\d{4}-\d{2}-\d{2}') THEN TRY_CAST(left(OldValue, 10) AS DATE) END AS before,
    CASE WHEN regexp_matches(NewValue, '^\d{4}-\d{2}-\d{2}') THEN TRY_CAST(left(NewValue, 10) AS DATE) END AS after
  FROM OpportunityFieldHistory
  WHERE Field = 'CloseDate'
  UNION ALL
  SELECT Id, OpportunityId, CreatedDate, CreatedById, old_close_date, CloseDate FROM snapshot WHERE tells_close_date
),
close_date_changes AS (
  SELECT OpportunityId, CASE WHEN after > before THEN 'Push Close Date' ELSE 'Pull Close Date' END,
    CreatedDate, CreatedDate, CreatedById, 150, Id, CAST(before AS VARCHAR), CAST(after AS VARCHAR), NULL, FALSE
  FROM close_date_rows
  WHERE after <> before
),
other_changes AS (
  SELECT case_id, CASE WHEN Field = 'Owner' THEN 'Change Owner' ELSE 'Change: ' || Field END,
    CreatedDate, CreatedDate, CreatedById, CASE WHEN Field = 'Owner' THEN 100 ELSE 150 END, Id, OldValue, NewValue,
    NULL, FALSE
  FROM field_changes('Opportunity')
  WHERE Field NOT IN ('StageName', 'Amount', 'CloseDate')
),
quotes AS (
  SELECT OpportunityId, 'Create Quote', CreatedDate, CreatedDate, CreatedById, 160, Id, NULL, Name, NULL, FALSE
  FROM Quote
  WHERE IsDeleted IS NOT TRUE
),
touched AS (  -- what conversion moved here from a lead was done for the lead
  SELECT o.Id, t.activity, t.occurred_at, t.recorded_at, t.actor, 120, t.Id, NULL, NULL, NULL, t.date_only
  FROM touches AS t
  JOIN Opportunity AS o ON o.Id = t.WhatId AND t.recorded_at >= o.CreatedDate
)
SELECT case_id, activity, occurred_at, recorded_at, actor, CAST(rank AS UTINYINT) AS rank, source_id,
  CAST(old_value AS VARCHAR) AS old_value, CAST(new_value AS VARCHAR) AS new_value,
  CAST(direction AS TINYINT) AS direction, date_only
FROM (
  FROM created UNION ALL FROM stage_changes UNION ALL FROM amount_changes UNION ALL FROM close_date_changes
  UNION ALL FROM other_changes UNION ALL FROM quotes UNION ALL FROM touched
) AS found;
