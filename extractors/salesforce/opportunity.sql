-- Opportunity management: one case per opportunity. Runs after the files of [sql] in source.toml.
-- Read `cases` first (what we know of each opportunity), then `events` (every CTE is one source of events), then
-- `unused` (why a row tells none) and `attributes` (how what we know of an opportunity changed).

CREATE OR REPLACE TEMP VIEW cases AS
WITH
main_product AS (  -- the line that is worth most speaks for the opportunity
  SELECT DISTINCT ON (i.OpportunityId) i.OpportunityId, coalesce(p.Name, i.Name, i.ProductCode) AS product
  FROM OpportunityLineItem AS i
  LEFT JOIN Product2 AS p ON p.Id = i.Product2Id
  WHERE i.IsDeleted IS NOT TRUE
  ORDER BY i.OpportunityId, i.TotalPrice DESC NULLS LAST, i.Id
),
main_quote AS (  -- the one that is synced, else the newest
  SELECT DISTINCT ON (q.OpportunityId) q.OpportunityId, q.Status
  FROM Quote AS q
  LEFT JOIN Opportunity AS o ON o.Id = q.OpportunityId
  WHERE q.IsDeleted IS NOT TRUE
  ORDER BY q.OpportunityId, coalesce(q.Id = o.SyncedQuoteId, FALSE) DESC, q.CreatedDate DESC, q.Id DESC
),
known AS (  -- since when field history is covered; snapshots stand in where there is none
  SELECT coalesce(min(since) FILTER (source_table = 'OpportunityFieldHistory'), min(since)) AS since
  FROM coverage
  WHERE root = 'Opportunity' AND field = '*'
),
creation_row AS (
  SELECT DISTINCT record_id FROM changes
  WHERE root = 'Opportunity' AND field IN ('created', 'opportunityCreatedFromLead')
),
from_lead AS (
  SELECT ConvertedOpportunityId AS opportunity_id FROM Lead WHERE ConvertedOpportunityId IS NOT NULL
  UNION
  SELECT record_id FROM changes WHERE root = 'Opportunity' AND field = 'opportunityCreatedFromLead'
)
SELECT
  o.Id AS case_id,
  o.CreatedDate AS created_at,
  coalesce(o.CreatedDate < k.since, FALSE) AND c.record_id IS NULL
    AND coalesce(s.moment > o.CreatedDate + INTERVAL '1 minute', TRUE) AS truncated,
  CASE WHEN o.CreatedDate < k.since THEN k.since END AS covered_from,  -- of a truncated one
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
  coalesce(o.ForecastCategoryName, forecast_name(o.ForecastCategory)) AS forecast_category,
  q.Status AS quote_status,
  o.CurrencyIsoCode AS currency,
  o.Amount AS amount,
  o.ExpectedRevenue AS expected_revenue,
  m.amount_reporting,
  m.expected_revenue_reporting,
  (SELECT reporting FROM money_terms) AS reporting_currency,
  o.Probability AS probability,
  o.CloseDate AS close_date,
  l.opportunity_id IS NOT NULL AS from_lead,
  o.AccountId AS account_id
FROM Opportunity AS o
CROSS JOIN known AS k
LEFT JOIN creation_row AS c ON c.record_id = o.Id
LEFT JOIN first_snapshots AS s ON s.record_id = o.Id
LEFT JOIN opportunity_money AS m ON m.Id = o.Id
LEFT JOIN people AS h ON h.Id = o.OwnerId
LEFT JOIN RecordType AS t ON t.Id = o.RecordTypeId
LEFT JOIN Campaign AS g ON g.Id = o.CampaignId
LEFT JOIN main_product AS i ON i.OpportunityId = o.Id
LEFT JOIN main_quote AS q ON q.OpportunityId = o.Id
LEFT JOIN Account AS a ON a.Id = o.AccountId
LEFT JOIN from_lead AS l ON l.opportunity_id = o.Id
WHERE o.IsDeleted IS NOT TRUE;

-- Every change but those of the stage, as an activity; without one it tells no event (`reason`).
CREATE OR REPLACE TEMP VIEW opportunity_changes AS
WITH
read AS (
  SELECT *,
    CASE WHEN column_name IN ('ForecastCategory', 'ForecastCategoryName') THEN 'Forecast'
      WHEN column_name IN ('Amount', 'CloseDate', 'Probability') THEN column_name END AS measure,
    CASE WHEN column_name = 'CloseDate' THEN iso_day(old_value) END AS old_day,
    CASE WHEN column_name = 'CloseDate' THEN iso_day(new_value) END AS new_day
  FROM changes
  WHERE root = 'Opportunity' AND column_name IS DISTINCT FROM 'StageName'
),
measured AS (  -- no amount counts as 0, one that reads as no number as unknown
  SELECT *,
    CASE measure WHEN 'Forecast' THEN forecast_rank(new_value) - forecast_rank(old_value)
      WHEN 'CloseDate' THEN new_day - old_day
      WHEN 'Probability' THEN TRY_CAST(new_value AS DOUBLE) - TRY_CAST(old_value AS DOUBLE)
      WHEN 'Amount' THEN CASE WHEN new_value IS NULL THEN 0 ELSE TRY_CAST(new_value AS DOUBLE) END
        - CASE WHEN old_value IS NULL THEN 0 ELSE TRY_CAST(old_value AS DOUBLE) END END AS delta
  FROM read
)
SELECT record_id, moment, actor, seq, source_table, source_id,
  CASE measure WHEN 'CloseDate' THEN coalesce(CAST(old_day AS VARCHAR), old_value) ELSE old_value END AS old_value,
  CASE measure WHEN 'CloseDate' THEN coalesce(CAST(new_day AS VARCHAR), new_value) ELSE new_value END AS new_value,
  CASE WHEN delta > 0 THEN 1 WHEN delta < 0 THEN -1 END AS direction, delta,
  CASE WHEN field IN ('created', 'opportunityCreatedFromLead') OR delta = 0 THEN NULL
    WHEN column_name = 'OwnerId' THEN 'Change Owner'
    WHEN kind = 'mark' THEN 'Mark: ' || field
    WHEN measure = 'Probability' THEN 'Change Probability'
    WHEN column_name = 'NextStep' THEN 'Change Next Step'
    WHEN measure IS NULL OR delta IS NULL THEN 'Change: ' || field
    WHEN measure = 'Amount' THEN CASE WHEN delta > 0 THEN 'Raise Amount' ELSE 'Lower Amount' END
    WHEN measure = 'CloseDate' THEN CASE WHEN delta > 0 THEN 'Push Close Date' ELSE 'Pull Close Date' END
    WHEN delta > 0 THEN 'Raise Forecast' ELSE 'Lower Forecast' END AS activity,
  CASE WHEN field IN ('created', 'opportunityCreatedFromLead') THEN 'tells the creation, as the record does'
    WHEN delta = 0 THEN 'the same value, written otherwise' END AS reason
FROM measured;

CREATE OR REPLACE TEMP VIEW opportunity_approvals AS
SELECT *, CASE Status WHEN 'Approved' THEN 'Approve' WHEN 'Rejected' THEN 'Reject' WHEN 'Removed' THEN 'Recall' END
    AS decision,
  coalesce(CompletedDate, CreatedDate + to_minutes(CAST(ElapsedTimeInMinutes AS INTEGER)),
    CreatedDate + to_seconds(ElapsedTimeInHours * 3600), CreatedDate + to_seconds(ElapsedTimeInDays * 86400)) AS decided
FROM ProcessInstance
WHERE IsDeleted IS NOT TRUE;

CREATE OR REPLACE TEMP VIEW events AS
WITH
from_lead AS (
  SELECT DISTINCT record_id FROM changes WHERE root = 'Opportunity' AND field = 'opportunityCreatedFromLead'
),
created AS (
  SELECT o.Id AS case_id, 'Create Opportunity' AS activity, o.CreatedDate AS occurred_at, o.CreatedById AS actor,
    0 AS rank, 'Opportunity' AS source_table, o.Id AS source_id, o.Id AS record_id,
    CASE WHEN l.record_id IS NOT NULL THEN 'from lead' END AS new_value
  FROM Opportunity AS o
  LEFT JOIN from_lead AS l ON l.record_id = o.Id
),
stage_changes AS (
  SELECT case_id, activity, occurred_at, recorded_at, actor, rank, seq, source_table, source_id, old_value, new_value,
    direction, delta, date_only, record_id
  FROM opportunity_moves
),
field_changes AS (
  SELECT record_id AS case_id, activity, moment AS occurred_at, actor,
    CASE WHEN activity = 'Change Owner' THEN 100 ELSE 150 END AS rank, seq, source_table, source_id, old_value,
    new_value, direction, delta, record_id
  FROM opportunity_changes
  WHERE activity IS NOT NULL
),
lead_created AS (  -- known to be of the opportunity since the conversion
  SELECT o.Id AS case_id, 'Create Lead' AS activity, l.CreatedDate AS occurred_at,
    greatest(c.moment, o.CreatedDate, l.CreatedDate) AS recorded_at, l.CreatedById AS actor, 0 AS rank,
    'Lead' AS source_table, l.Id AS source_id
  FROM Lead AS l
  JOIN Opportunity AS o ON o.Id = l.ConvertedOpportunityId
  LEFT JOIN conversions AS c ON c.lead_id = l.Id
  WHERE l.IsDeleted IS NOT TRUE
),
lead_converted AS (
  SELECT o.Id AS case_id, 'Convert Lead' AS activity, c.moment AS occurred_at, greatest(c.moment, o.CreatedDate) AS recorded_at,
    c.actor, 250 AS rank, c.source_table, c.source_id, c.lead_id AS record_id, c.date_only
  FROM conversions AS c
  JOIN Lead AS l ON l.Id = c.lead_id AND l.IsDeleted IS NOT TRUE
  JOIN Opportunity AS o ON o.Id = c.opportunity_id
),
quoted AS (
  SELECT OpportunityId AS case_id, 'Create Quote' AS activity, CreatedDate AS occurred_at, CreatedById AS actor,
    160 AS rank, 'Quote' AS source_table, Id AS source_id, Name AS new_value, Id AS record_id
  FROM Quote
  WHERE IsDeleted IS NOT TRUE
),
quote_decisions AS (
  SELECT q.OpportunityId AS case_id,
    CASE h.NewValue WHEN 'Presented' THEN 'Present Quote' WHEN 'Accepted' THEN 'Accept Quote' ELSE 'Deny Quote' END
      AS activity,
    h.CreatedDate AS occurred_at, h.CreatedById AS actor, 160 AS rank, 'QuoteHistory' AS source_table,
    h.Id AS source_id, h.OldValue AS old_value, h.NewValue AS new_value, q.Id AS record_id
  FROM QuoteHistory AS h
  JOIN Quote AS q ON q.Id = h.QuoteId AND q.IsDeleted IS NOT TRUE
  WHERE h.Field = 'Status' AND h.NewValue IN ('Presented', 'Accepted', 'Denied')
    AND h.OldValue IS DISTINCT FROM h.NewValue AND h.IsDeleted IS NOT TRUE
),
submitted AS (
  SELECT o.Id AS case_id, 'Submit for Approval' AS activity, a.CreatedDate AS occurred_at,
    coalesce(a.SubmittedById, a.CreatedById) AS actor, 160 AS rank, 'ProcessInstance' AS source_table,
    a.Id AS source_id, a.Id AS record_id
  FROM opportunity_approvals AS a
  JOIN Opportunity AS o ON o.Id = a.TargetObjectId
),
decided AS (
  SELECT o.Id AS case_id, a.decision AS activity, greatest(a.decided, a.CreatedDate) AS occurred_at,
    a.LastActorId AS actor, 161 AS rank, 'ProcessInstance' AS source_table, a.Id AS source_id, a.Id AS record_id
  FROM opportunity_approvals AS a
  JOIN Opportunity AS o ON o.Id = a.TargetObjectId
  WHERE a.decision IS NOT NULL AND a.decided IS NOT NULL
),
touched AS (  -- what conversion moved here from a lead was done for the lead
  SELECT o.Id AS case_id, t.activity, t.occurred_at, t.recorded_at, t.actor, 120 AS rank, t.source_table,
    t.Id AS source_id, t.date_only, t.Id AS record_id
  FROM touches AS t
  JOIN Opportunity AS o ON o.Id = t.WhatId AND t.recorded_at >= o.CreatedDate
)
SELECT case_id, activity, occurred_at, coalesce(recorded_at, occurred_at) AS recorded_at, actor,
  CAST(rank AS UTINYINT) AS rank, CAST(coalesce(seq, 0) AS USMALLINT) AS seq, record_id, source_table, source_id,
  old_value, new_value, CAST(direction AS TINYINT) AS direction, CAST(delta AS DOUBLE) AS delta,
  coalesce(date_only, FALSE) AS date_only
FROM (
  FROM created UNION ALL BY NAME FROM stage_changes UNION ALL BY NAME FROM field_changes
  UNION ALL BY NAME FROM lead_created UNION ALL BY NAME FROM lead_converted UNION ALL BY NAME FROM quoted
  UNION ALL BY NAME FROM quote_decisions UNION ALL BY NAME FROM submitted UNION ALL BY NAME FROM decided
  UNION ALL BY NAME FROM touched
) AS found;

CREATE OR REPLACE TEMP VIEW unused AS
SELECT source_table, source_id, reason FROM set_aside
WHERE source_table IN ('OpportunityFieldHistory', 'OpportunityHistory', 'LeadHistory')
UNION ALL
SELECT source_table, source_id, reason FROM opportunity_changes WHERE reason IS NOT NULL
UNION ALL
SELECT source_table, source_id, 'names no new stage' FROM changes
WHERE root = 'Opportunity' AND column_name = 'StageName' AND new_value IS NULL
UNION ALL
SELECT 'OpportunityHistory', source_id, 'shows the opportunity as it was created' FROM first_snapshots
UNION ALL
SELECT 'LeadHistory', NULL, 'changes the lead, not the opportunity'
UNION ALL
SELECT 'AccountHistory', NULL, 'changes the account, not the opportunity'
UNION ALL
FROM mails_aside
UNION ALL
SELECT 'Opportunity', Id, 'deleted row' FROM Opportunity WHERE IsDeleted
UNION ALL
SELECT 'Lead', Id, CASE WHEN IsDeleted THEN 'deleted row' WHEN ConvertedOpportunityId IS NULL
  THEN 'became no opportunity' ELSE 'became an opportunity that is not known' END
FROM Lead
UNION ALL
SELECT unnest(['Account', 'OpportunityLineItem']), NULL, 'gives attributes only'
UNION ALL
SELECT 'Quote', Id, 'deleted row' FROM Quote WHERE IsDeleted
UNION ALL
SELECT 'QuoteHistory', h.Id, CASE WHEN h.IsDeleted THEN 'deleted row' WHEN q.IsDeleted THEN 'its quote is deleted'
  WHEN h.OldValue = h.NewValue THEN 'old and new value are the same'
  ELSE 'neither presents, accepts nor denies the quote' END
FROM QuoteHistory AS h
LEFT JOIN Quote AS q ON q.Id = h.QuoteId
UNION ALL
SELECT 'ProcessInstance', Id, CASE WHEN IsDeleted THEN 'deleted row' ELSE 'not about an opportunity' END
FROM ProcessInstance
WHERE IsDeleted OR TargetObjectId IS NULL OR TargetObjectId NOT IN (SELECT Id FROM Opportunity)
UNION ALL
SELECT source_table, source_id, reason FROM no_touches
UNION ALL
SELECT t.source_table, t.Id, CASE WHEN o.Id IS NULL THEN 'not about an opportunity'
  ELSE 'done before the opportunity was created' END
FROM touches AS t
LEFT JOIN Opportunity AS o ON o.Id = t.WhatId
WHERE o.Id IS NULL OR t.recorded_at < o.CreatedDate;

CREATE OR REPLACE TEMP VIEW attributes AS
WITH
change AS (
  SELECT c.record_id AS case_id, c.moment, c.seq, c.source_id, c.old_value, c.new_value, o.CreatedDate AS created_at,
    CASE WHEN c.column_name = 'ForecastCategory' THEN 'ForecastCategoryName' ELSE c.column_name END AS of_column
  FROM changes AS c
  JOIN Opportunity AS o ON o.Id = c.record_id
  WHERE c.root = 'Opportunity' AND c.column_name IN ('OwnerId', 'StageName', 'Amount', 'CloseDate', 'Probability',
    'ForecastCategory', 'ForecastCategoryName', 'RecordTypeId', 'Type', 'LeadSource', 'CurrencyIsoCode', 'CampaignId',
    'AccountId')
),
held AS MATERIALIZED (  -- before the first change (one in the second of the creation is part of it), and after each
  SELECT case_id, of_column, created_at AS since, 0 AS seq, arg_min_null(old_value, (moment, seq, source_id)) AS value
  FROM change
  GROUP BY case_id, of_column, created_at
  HAVING min(moment) > created_at
  UNION ALL
  SELECT case_id, of_column, moment, seq, new_value FROM change
),
plain AS (
  SELECT case_id, since, seq,
    CASE of_column WHEN 'StageName' THEN 'stage' WHEN 'Type' THEN 'type' WHEN 'LeadSource' THEN 'source'
      WHEN 'CurrencyIsoCode' THEN 'currency' WHEN 'Amount' THEN 'amount' WHEN 'Probability' THEN 'probability'
      WHEN 'CloseDate' THEN 'close_date' WHEN 'ForecastCategoryName' THEN 'forecast_category' END AS attribute,
    CASE WHEN of_column IN ('Amount', 'Probability') THEN CAST(TRY_CAST(value AS DOUBLE) AS VARCHAR)
      WHEN of_column = 'CloseDate' THEN CAST(iso_day(value) AS VARCHAR)
      WHEN of_column = 'ForecastCategoryName' THEN forecast_name(value) ELSE value END AS value
  FROM held
),
owned AS (
  SELECT v.case_id, v.since, v.seq, coalesce(p.owner, v.value) AS owner, p.manager, p.region, p.team, p.profile
  FROM held AS v
  LEFT JOIN people_by_name AS n ON n.owner = v.value
  LEFT JOIN people AS p ON p.Id = coalesce(n.Id, v.value)
  WHERE v.of_column = 'OwnerId'
),
placed AS (
  SELECT v.case_id, v.since, v.seq, CASE WHEN a.Id IS NOT NULL THEN a.Name WHEN NOT is_id(v.value) THEN v.value END
      AS account,
    a.Industry AS industry, coalesce(a.BillingCountry, a.BillingCountryCode) AS country, a.Id AS account_id
  FROM held AS v
  LEFT JOIN Account AS a ON a.Id = v.value
  WHERE v.of_column = 'AccountId'
),
-- The amount in the reporting currency, by the close date and currency of that moment.
priced AS (
  SELECT case_id, since, seq,
    last_value(CASE of_column WHEN 'Amount' THEN {'value': value, 'since': since} END IGNORE NULLS) OVER so_far AS amount,
    last_value(CASE of_column WHEN 'CloseDate' THEN {'value': value} END IGNORE NULLS) OVER so_far AS close_date,
    last_value(CASE of_column WHEN 'CurrencyIsoCode' THEN value END IGNORE NULLS) OVER so_far AS currency,
  FROM held
  WHERE of_column IN ('Amount', 'CloseDate', 'CurrencyIsoCode')
  WINDOW so_far AS (PARTITION BY case_id ORDER BY since, seq, of_column ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
  QUALIFY lead(since) OVER (PARTITION BY case_id ORDER BY since, seq, of_column) IS DISTINCT FROM since
),
dated AS (
  SELECT p.case_id, p.since, p.seq, coalesce(p.currency, o.CurrencyIsoCode, org_currency()) AS currency,
    CASE WHEN p.amount IS NULL THEN o.Amount ELSE TRY_CAST(p.amount.value AS DOUBLE) END AS amount,
    conversion_day(CASE WHEN p.close_date IS NULL THEN o.CloseDate ELSE iso_day(p.close_date.value) END, o.CreatedDate,
      coalesce(p.amount.since, o.CreatedDate)) AS "day"
  FROM priced AS p
  JOIN Opportunity AS o ON o.Id = p.case_id
),
reported AS (
  SELECT d.case_id, d.since, d.seq, 'amount_reporting' AS attribute,
    CAST(converted(d.amount, d."day", x) AS VARCHAR) AS value
  FROM dated AS d
  ASOF LEFT JOIN conversion AS x ON x.iso_code = d.currency AND x.since <= coalesce(d."day", DATE '-infinity')
),
found AS (
  FROM plain WHERE attribute IS NOT NULL
  UNION ALL BY NAME
  FROM owned UNPIVOT INCLUDE NULLS (value FOR attribute IN (owner, manager, region, team, profile))
  UNION ALL BY NAME
  FROM placed UNPIVOT INCLUDE NULLS (value FOR attribute IN (account, industry, country, account_id))
  UNION ALL BY NAME
  SELECT v.case_id, v.since, v.seq, 'record_type' AS attribute, coalesce(t.DeveloperName, n.DeveloperName) AS value
  FROM held AS v
  LEFT JOIN RecordType AS t ON t.Id = v.value
  LEFT JOIN RecordType AS n ON n.Name = v.value AND n.SobjectType = 'Opportunity'
  WHERE v.of_column = 'RecordTypeId'
  UNION ALL BY NAME
  SELECT v.case_id, v.since, v.seq, 'campaign' AS attribute,
    CASE WHEN g.Id IS NOT NULL THEN g.Name WHEN NOT is_id(v.value) THEN v.value END AS value
  FROM held AS v
  LEFT JOIN Campaign AS g ON g.Id = v.value
  WHERE v.of_column = 'CampaignId'
  UNION ALL BY NAME
  FROM reported
)
SELECT case_id, attribute, since, CAST(seq AS USMALLINT) AS seq, CAST(value AS VARCHAR) AS value
FROM found;
