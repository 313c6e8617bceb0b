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
-- What a stage means: the stated list, else OpportunityStage, and for values in neither the flags on the records.
listed AS (
  SELECT value, position, is_closed, is_won, TRUE AS active FROM stages
  UNION ALL
  SELECT ApiName, SortOrder, IsClosed IS TRUE, IsWon IS TRUE, IsActive IS NOT FALSE
  FROM OpportunityStage
  WHERE ApiName IS NOT NULL AND NOT EXISTS (SELECT 1 FROM stages)
),
stage AS (  -- positions count the active open stages; a retired one lies half-way, so that passing it is no skip
  SELECT value, is_closed, is_won,
    CASE WHEN NOT is_closed THEN CASE WHEN active THEN 0 ELSE 0.5 END
      + sum(CAST(active AS INTEGER)) OVER (PARTITION BY is_closed ORDER BY position) END AS position
  FROM listed
  UNION ALL
  SELECT StageName, bool_or(IsClosed IS TRUE), bool_or(IsWon IS TRUE), NULL
  FROM Opportunity
  WHERE StageName IS NOT NULL AND StageName NOT IN (SELECT value FROM listed)
  GROUP BY StageName
),
created AS (
  SELECT Id AS case_id, 'Create Opportunity' AS activity, CreatedDate AS occurred_at, CreatedDate AS recorded_at,
    CreatedById AS actor, 0 AS rank, Id AS source_id, NULL AS old_value, NULL AS new_value, NULL AS direction,
    FALSE AS date_only
  FROM Opportunity
),
-- Two histories tell the same changes: field history (old and new value) and snapshots (the record after a save).
-- Per opportunity and field the snapshots speak only where field history is silent.
told AS (
  SELECT OpportunityId, bool_or(Field = 'StageName') AS stage, bool_or(Field = 'Amount') AS amount,
    bool_or(Field = 'CloseDate') AS close_date,
    bool_or(Field IN ('created', 'opportunityCreatedFromLead')) AS creation,
    arg_min(OldValue, (CreatedDate, Id)) FILTER (Field = 'StageName' AND OldValue IS DISTINCT FROM NewValue)
      AS first_stage
  FROM OpportunityFieldHistory
  WHERE Field IN ('StageName', 'Amount', 'CloseDate', 'created', 'opportunityCreatedFromLead')
  GROUP BY OpportunityId
),
snapshots AS (
  SELECT OpportunityId, arg_min(StageName, (CreatedDate, Id)) AS first_stage, min(CreatedDate) AS moment,
    arg_min(Id, (CreatedDate, Id)) AS source_id, arg_min(CreatedById, (CreatedDate, Id)) AS actor,
    min(StageName) <> max(StageName) AS stage,
    min(coalesce(Amount, 0)) <> max(coalesce(Amount, 0)) OR bool_or(PrevAmount <> Amount) AS amount,
    min(CloseDate) <> max(CloseDate) OR bool_or(PrevCloseDate <> CloseDate) AS close_date
  FROM OpportunityHistory
  GROUP BY OpportunityId
),
silent AS (  -- what only the snapshots of an opportunity tell
  SELECT s.OpportunityId, s.stage AND coalesce(NOT t.stage, TRUE) AS stage,
    s.amount AND coalesce(NOT t.amount, TRUE) AS amount,
    s.close_date AND coalesce(NOT t.close_date, TRUE) AS close_date
  FROM snapshots AS s
  LEFT JOIN told AS t ON t.OpportunityId = s.OpportunityId
),
step AS (
  SELECT h.Id, h.OpportunityId, h.CreatedDate, h.CreatedById, h.StageName, h.Amount, h.CloseDate,
    lag(h.StageName) OVER saves AS old_stage,
    CASE WHEN row_number() OVER saves = 1 THEN coalesce(h.PrevAmount, h.Amount) ELSE lag(h.Amount) OVER saves END
      AS old_amount,
    CASE WHEN row_number() OVER saves = 1 THEN coalesce(h.PrevCloseDate, h.CloseDate)
      ELSE lag(h.CloseDate) OVER saves END AS old_close_date,
    s.stage, s.amount AS tells_amount, s.close_date AS tells_close_date
  FROM OpportunityHistory AS h
  JOIN silent AS s ON s.OpportunityId = h.OpportunityId AND (s.stage OR s.amount OR s.close_date)
  WINDOW saves AS (PARTITION BY h.OpportunityId ORDER BY h.CreatedDate, h.Id)
),
stage_rows AS (
  SELECT Id, OpportunityId, CreatedDate, CreatedById, OldValue, NewValue
  FROM OpportunityFieldHistory
  WHERE Field = 'StageName' AND NewValue IS NOT NULL AND OldValue IS DISTINCT FROM NewValue
  UNION ALL
  SELECT Id, OpportunityId, CreatedDate, CreatedById, old_stage, StageName
  FROM step
  WHERE stage AND old_stage <> StageName
),
stage_changes AS (
  SELECT r.OpportunityId,
    CASE WHEN k.closing AND n.is_won THEN 'Win Opportunity'
      WHEN k.closing THEN 'Lose Opportunity'
      WHEN o.is_closed AND NOT n.is_closed THEN 'Reopen Opportunity'
      ELSE 'Stage: ' || r.NewValue END,
    r.CreatedDate, r.CreatedDate, r.CreatedById, CASE WHEN k.closing THEN 250 ELSE 200 END, r.Id, r.OldValue, r.NewValue,
    CASE WHEN n.position - o.position > 1 THEN 2 WHEN n.position > o.position THEN 1
      WHEN n.position < o.position THEN -1 END,
    FALSE
  FROM stage_rows AS r
  LEFT JOIN stage AS o ON o.value = r.OldValue
  LEFT JOIN stage AS n ON n.value = r.NewValue
  -- from one closed stage to another only a turn between won and lost is a new ending
  CROSS JOIN LATERAL (SELECT coalesce(n.is_closed, FALSE)
    AND NOT (coalesce(o.is_closed, FALSE) AND o.is_won = n.is_won) AS closing) AS k
),
-- Closings that no change tells: created closed, or closed before any history we hold.
unseen AS (
  SELECT o.Id, o.CreatedById, o.CreatedDate, o.LastStageChangeDate, o.CloseDate,
    coalesce(o.SystemModstamp, o.LastModifiedDate) AS modified, s.moment, s.source_id, s.actor,
    CASE WHEN t.stage THEN t.first_stage ELSE coalesce(s.first_stage, o.StageName) END AS value,
    coalesce(t.stage, FALSE) AS changes_known,
    -- history that begins at the creation shows the stage the record was created in
    coalesce(t.creation, FALSE) AND EXISTS (SELECT 1 FROM told WHERE stage) AS from_the_start,
    NOT coalesce(t.stage, FALSE) AND s.first_stage IS NOT NULL AS snapshot
  FROM Opportunity AS o
  LEFT JOIN told AS t ON t.OpportunityId = o.Id
  LEFT JOIN snapshots AS s ON s.OpportunityId = o.Id
),
closed_unseen AS (  -- a stage that only the record of today tells is known since its last modification, not earlier
  SELECT u.Id, CASE WHEN s.is_won THEN 'Win Opportunity' ELSE 'Lose Opportunity' END, e.moment,
    CASE WHEN u.from_the_start AND NOT u.snapshot AND NOT u.changes_known THEN greatest(e.moment, u.modified)
      ELSE e.moment END,
    CASE WHEN u.snapshot THEN u.actor ELSE u.CreatedById END, 250,
    CASE WHEN u.snapshot THEN u.source_id ELSE u.Id END, NULL, u.value, NULL,
    NOT u.snapshot AND NOT u.from_the_start AND u.LastStageChangeDate IS NULL
  FROM unseen AS u
  JOIN stage AS s ON s.value = u.value AND s.is_closed
  CROSS JOIN LATERAL (SELECT CASE WHEN u.snapshot THEN greatest(u.moment, u.CreatedDate)
    WHEN u.from_the_start THEN u.CreatedDate
    WHEN u.LastStageChangeDate IS NOT NULL THEN u.LastStageChangeDate
    ELSE greatest(u.CreatedDate, least(u.modified, end_of_day(u.CloseDate))) END AS moment) AS e
  WHERE u.from_the_start OR NOT u.changes_known
),
amount_rows AS (
  SELECT Id, OpportunityId, CreatedDate, CreatedById, OldValue, NewValue,
    coalesce(TRY_CAST(OldValue AS DOUBLE), 0) AS before, coalesce(TRY_CAST(NewValue AS DOUBLE), 0) AS after
  FROM OpportunityFieldHistory
  WHERE Field = 'Amount'
  UNION ALL
  SELECT Id, OpportunityId, CreatedDate, CreatedById, CAST(old_amount AS VARCHAR), CAST(Amount AS VARCHAR),
    coalesce(old_amount, 0), coalesce(Amount, 0)
  FROM step
  WHERE tells_amount
),
amount_changes AS (
  SELECT OpportunityId, CASE WHEN after > before THEN 'Raise Amount' ELSE 'Lower Amount' END,
    CreatedDate, CreatedDate, CreatedById, 150, Id, OldValue, NewValue, NULL, FALSE
  FROM amount_rows
  WHERE after <> before
),
close_date_rows AS (
  SELECT Id, OpportunityId, CreatedDate, CreatedById,
    -- only dates that read one way; a locale's own spelling is never guessed
    CASE WHEN regexp_matches(OldValue, '^\d{4}-\d{2}-\d{2}') THEN TRY_CAST(left(OldValue, 10) AS DATE) END AS before,
    CASE WHEN regexp_matches(NewValue, '^\d{4}-\d{2}-\d{2}') THEN TRY_CAST(left(NewValue, 10) AS DATE) END AS after
  FROM OpportunityFieldHistory
  WHERE Field = 'CloseDate'
  UNION ALL
  SELECT Id, OpportunityId, CreatedDate, CreatedById, old_close_date, CloseDate FROM step WHERE tells_close_date
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
  FROM created UNION ALL FROM stage_changes UNION ALL FROM closed_unseen UNION ALL FROM amount_changes
  UNION ALL FROM close_date_changes UNION ALL FROM other_changes UNION ALL FROM quotes UNION ALL FROM touched
) AS found;
