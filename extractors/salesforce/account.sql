-- Account management: one case per account. Runs after the files of [sql] in source.toml: `changes` is what history tells,
-- `conversions` who was converted when, `touches` work that is done, `people` who they are, `merges` who lives on in whom.
-- An account never ends: its case gathers what happens to it and below it (contacts, leads, opportunities, cases).
-- Read `cases` first, then `events`: every CTE is one source of events. `unused` says of every other row why it tells
-- none, `attributes` how what `cases` shows has changed.

CREATE OR REPLACE TEMP VIEW cases AS
SELECT
  a.Id AS case_id,
  a.CreatedDate AS created_at,
  coalesce(a.CreatedDate < (SELECT min(since) FROM coverage WHERE root = 'Account'), FALSE)
    AND a.Id NOT IN (SELECT record_id FROM changes
      WHERE root = 'Account' AND field IN ('created', 'accountCreatedFromLead')) AS truncated,
  a.Name AS account,
  h.owner,
  h.manager,
  h.region,
  h.team,
  h.profile,
  t.DeveloperName AS record_type,
  a.AccountSource AS source,
  a.Industry AS industry,
  coalesce(a.BillingCountry, a.BillingCountryCode) AS country,
  a.Type AS type,
  a.Rating AS rating,
  a.CurrencyIsoCode AS currency,
  a.AnnualRevenue AS annual_revenue,
  a.NumberOfEmployees AS employees,
  a.ParentId AS parent_id
FROM Account AS a
LEFT JOIN people AS h ON h.Id = a.OwnerId
LEFT JOIN RecordType AS t ON t.Id = a.RecordTypeId
WHERE a.IsDeleted IS NOT TRUE;

-- Whose work it was: Salesforce derives AccountId from what an activity is about; where it is missing we do the same. What
-- conversion moved here from a lead reached the account with the conversion; it was no work for an account still to come.
CREATE OR REPLACE TEMP TABLE account_touches AS
WITH
survivor AS (SELECT loser_id, survivor_id FROM merges WHERE root = 'Account'),
born AS (
  SELECT coalesce(s.survivor_id, a.Id) AS case_id, min(a.CreatedDate) AS moment
  FROM Account AS a
  LEFT JOIN survivor AS s ON s.loser_id = a.Id
  GROUP BY ALL
),
about AS (
  SELECT t.*, coalesce(t.AccountId, o.AccountId, CASE WHEN starts_with(t.WhatId, '001') THEN t.WhatId END, k.AccountId)
    AS account_id
  FROM touches AS t
  LEFT JOIN Opportunity AS o ON o.Id = t.WhatId
  LEFT JOIN Contact AS k ON k.Id = t.WhoId
)
SELECT b.case_id, t.activity, t.occurred_at, greatest(t.recorded_at, t.moved_at) AS recorded_at, t.actor, t.date_only,
  t.source_table, t.Id
FROM about AS t
LEFT JOIN survivor AS s ON s.loser_id = t.account_id
JOIN born AS b ON b.case_id = coalesce(s.survivor_id, t.account_id) AND t.recorded_at >= b.moment;

CREATE OR REPLACE TEMP VIEW events AS
WITH
survivor AS (FROM merges WHERE root = 'Account'),
created AS (
  SELECT Id AS case_id, 'Create Account' AS activity, CreatedDate AS occurred_at, CreatedById AS actor, 0 AS rank,
    Id AS record_id, 'Account' AS source_table, Id AS source_id
  FROM Account
  WHERE IsDeleted IS NOT TRUE
),
owners AS (  -- an account has no queue
  SELECT case_id, 'Change Owner' AS activity, moment AS occurred_at, actor, 100 AS rank, seq, record_id, source_table,
    source_id, old_value, new_value
  FROM changes
  WHERE root = 'Account' AND column_name = 'OwnerId'
),
ratings AS (
  SELECT case_id, CASE WHEN delta > 0 THEN 'Raise Rating' WHEN delta < 0 THEN 'Lower Rating' ELSE 'Change Rating' END AS activity,
    moment AS occurred_at, actor, 150 AS rank, seq, record_id, source_table, source_id, old_value, new_value,
    sign(delta) AS direction, delta
  FROM level_changes('Account', 'Rating')
),
other_changes AS (
  SELECT case_id, CASE WHEN column_name = 'Name' THEN 'Rename Account' WHEN kind = 'mark' THEN 'Mark: ' || field
      ELSE 'Change: ' || field END AS activity,
    moment AS occurred_at, actor, 150 AS rank, seq, record_id, source_table, source_id, old_value, new_value
  FROM changes
  WHERE root = 'Account' AND column_name IS DISTINCT FROM 'OwnerId'
    AND field NOT IN ('Rating', 'created', 'accountCreatedFromLead', 'accountMerged')
),
-- A merge is told by the account that went into another; the mark on the other tells when. A mark alone stands for itself.
merged AS (
  SELECT survivor_id AS case_id, 'Merge Account' AS activity, moment AS occurred_at, 150 AS rank, into_id AS record_id,
    'Account' AS source_table, loser_id AS source_id, loser_id AS old_value, into_id AS new_value, estimated AS date_only
  FROM survivor
  UNION ALL BY NAME
  SELECT case_id, 'Merge Account' AS activity, moment AS occurred_at, actor, 150 AS rank, seq, record_id, source_table,
    source_id
  FROM changes
  WHERE root = 'Account' AND field = 'accountMerged' AND source_id NOT IN (SELECT source_id FROM survivor)
),
contacts AS (  -- the contact behind a person account is the account itself
  SELECT AccountId AS case_id, 'Add Contact' AS activity, CreatedDate AS occurred_at, CreatedById AS actor, 50 AS rank,
    Id AS record_id, 'Contact' AS source_table, Id AS source_id, Name AS new_value
  FROM Contact
  WHERE AccountId IS NOT NULL AND IsDeleted IS NOT TRUE AND IsPersonAccount IS NOT TRUE
    AND Id NOT IN (SELECT PersonContactId FROM Account WHERE PersonContactId IS NOT NULL)
),
lead_conversions AS (  -- into the account, new or existing
  SELECT c.account_id AS case_id, 'Convert Lead' AS activity, c.moment AS occurred_at, c.actor, 40 AS rank,
    c.lead_id AS record_id, c.source_table, c.source_id, c.lead_name AS new_value, c.date_only
  FROM conversions AS c
  JOIN Lead AS l ON l.Id = c.lead_id AND l.IsDeleted IS NOT TRUE
  WHERE c.account_id IS NOT NULL AND c.moment <= as_of()
),
opportunities AS (
  SELECT AccountId AS case_id, 'Create Opportunity' AS activity, CreatedDate AS occurred_at, CreatedById AS actor,
    60 AS rank, Id AS record_id, 'Opportunity' AS source_table, Id AS source_id, Name AS new_value
  FROM Opportunity
  WHERE AccountId IS NOT NULL AND IsDeleted IS NOT TRUE
  UNION ALL BY NAME
  SELECT o.AccountId AS case_id, m.activity, m.occurred_at, m.recorded_at, m.actor, m.rank, m.seq, o.Id AS record_id,
    m.source_table, m.source_id, o.Name AS new_value, m.date_only
  FROM opportunity_moves AS m
  JOIN Opportunity AS o ON o.Id = m.OpportunityId
  WHERE o.AccountId IS NOT NULL AND o.IsDeleted IS NOT TRUE
    AND m.activity IN ('Win Opportunity', 'Lose Opportunity', 'Close Opportunity', 'Reopen Opportunity')
),
cases_below AS (
  SELECT AccountId AS case_id, 'Open Case' AS activity, CreatedDate AS occurred_at, CreatedById AS actor, 60 AS rank,
    Id AS record_id, 'Case' AS source_table, Id AS source_id, Subject AS new_value
  FROM "Case"
  WHERE AccountId IS NOT NULL AND IsDeleted IS NOT TRUE
  UNION ALL BY NAME
  SELECT c.AccountId AS case_id, m.activity, m.occurred_at, m.recorded_at, m.actor, greatest(m.rank, 61) AS rank, m.seq,
    m.record_id, m.source_table, m.source_id, c.Subject AS new_value, m.date_only
  FROM case_moves AS m
  JOIN "Case" AS c ON c.Id = m.case_id
  WHERE m.activity IN ('Close Case', 'Reopen Case') AND c.AccountId IS NOT NULL AND c.IsDeleted IS NOT TRUE
),
touched AS (
  SELECT case_id, activity, occurred_at, recorded_at, actor, 120 AS rank, Id AS record_id, source_table, Id AS source_id,
    date_only
  FROM account_touches
),
found AS (
  FROM created UNION ALL BY NAME FROM owners UNION ALL BY NAME FROM ratings UNION ALL BY NAME FROM other_changes
  UNION ALL BY NAME FROM merged UNION ALL BY NAME FROM contacts UNION ALL BY NAME FROM lead_conversions
  UNION ALL BY NAME FROM opportunities UNION ALL BY NAME FROM cases_below UNION ALL BY NAME FROM touched
)
SELECT coalesce(s.survivor_id, f.case_id) AS case_id, f.activity, f.occurred_at,
  coalesce(f.recorded_at, f.occurred_at) AS recorded_at, f.actor, CAST(f.rank AS UTINYINT) AS rank,
  CAST(coalesce(f.seq, 0) AS USMALLINT) AS seq, f.record_id, f.source_table, f.source_id,
  CAST(f.old_value AS VARCHAR) AS old_value, CAST(f.new_value AS VARCHAR) AS new_value,
  CAST(f.direction AS TINYINT) AS direction, CAST(f.delta AS DOUBLE) AS delta, coalesce(f.date_only, FALSE) AS date_only
FROM found AS f
LEFT JOIN survivor AS s ON s.loser_id = f.case_id;

-- A reason without a row holds for all rows of its table that have no other.
CREATE OR REPLACE TEMP VIEW unused AS
WITH
place AS (SELECT Id, IsDeleted IS TRUE AND Id NOT IN (SELECT loser_id FROM merges WHERE root = 'Account') AS gone FROM Account)
SELECT source_table, source_id, reason FROM set_aside
UNION ALL
SELECT 'Account', Id, 'deleted row' FROM Account WHERE IsDeleted
UNION ALL
SELECT 'AccountHistory', h.Id, CASE WHEN p.gone THEN 'the account is deleted'
    WHEN h.Field IN ('created', 'accountCreatedFromLead') THEN 'the account itself tells its creation'
    ELSE 'the account that went into this one tells the merge' END
FROM AccountHistory AS h
LEFT JOIN place AS p ON p.Id = h.AccountId
WHERE (p.gone OR h.Field IN ('created', 'accountCreatedFromLead', 'accountMerged'))
  AND h.Id NOT IN (SELECT source_id FROM set_aside WHERE source_table = 'AccountHistory')
UNION ALL
SELECT 'Contact', k.Id, CASE WHEN k.IsDeleted THEN 'deleted row' WHEN k.AccountId IS NULL THEN 'contact of no account'
    ELSE 'the person account itself' END
FROM Contact AS k
WHERE k.IsDeleted OR k.AccountId IS NULL OR k.IsPersonAccount
  OR k.Id IN (SELECT PersonContactId FROM Account WHERE PersonContactId IS NOT NULL)
UNION ALL
SELECT 'Lead', l.Id, CASE WHEN l.IsDeleted THEN 'deleted row' WHEN c.moment IS NULL OR c.moment > as_of() THEN 'not converted'
    WHEN c.account_id IS NULL THEN 'converted into no account'
    ELSE 'its history tells the conversion' END
FROM Lead AS l
LEFT JOIN conversions AS c ON c.lead_id = l.Id
WHERE l.IsDeleted OR c.moment IS NULL OR c.moment > as_of() OR c.account_id IS NULL OR c.source_table = 'LeadHistory'
UNION ALL
SELECT 'Opportunity', Id, CASE WHEN IsDeleted THEN 'deleted row' ELSE 'opportunity of no account' END
FROM Opportunity
WHERE IsDeleted OR AccountId IS NULL
UNION ALL
SELECT 'Case', Id, CASE WHEN IsDeleted THEN 'deleted row' ELSE 'case of no account' END
FROM "Case"
WHERE IsDeleted OR AccountId IS NULL
UNION ALL
FROM no_touches
UNION ALL
SELECT source_table, Id, 'done for a lead that became the account later' FROM touches WHERE moved_at IS NOT NULL
UNION ALL
FROM mails_aside
UNION ALL
SELECT unnest(['Contact', 'Lead', 'Opportunity', 'Case']), NULL, 'the account is deleted or unknown'
UNION ALL
SELECT unnest(['OpportunityFieldHistory', 'OpportunityHistory']), NULL,
  'tells no ending or reopening of an account''s opportunity'
UNION ALL
SELECT 'LeadHistory', NULL, 'tells no conversion into an account'
UNION ALL
SELECT 'CaseHistory', NULL, 'tells no closing or reopening of an account''s case'
UNION ALL
SELECT unnest(['Task', 'Event']), NULL, 'about no account, or done before it was created';

CREATE OR REPLACE TEMP VIEW attributes AS
WITH
shown (column_name, attribute) AS (VALUES ('Name', 'account'), ('AccountSource', 'source'), ('Industry', 'industry'),
  ('BillingCountry', 'country'), ('BillingCountryCode', 'country'), ('Type', 'type'), ('Rating', 'rating'),
  ('CurrencyIsoCode', 'currency'), ('AnnualRevenue', 'annual_revenue'), ('NumberOfEmployees', 'employees'),
  ('ParentId', 'parent_id')),
change AS (
  SELECT c.case_id, a.CreatedDate AS created_at, c.moment, c.seq, c.source_id, s.attribute, c.old_value, c.new_value
  FROM changes AS c
  JOIN Account AS a ON a.Id = c.record_id
  JOIN shown AS s ON s.column_name = c.column_name
  WHERE c.root = 'Account' AND c.record_id = c.case_id AND (c.old_value IS NOT NULL OR c.new_value IS NOT NULL)
  UNION ALL
  SELECT w.case_id, a.CreatedDate, w.moment, w.seq, w.source_id, w.attribute, w.old_value, w.new_value
  FROM owner_and_type_changes('Account') AS w
  JOIN Account AS a ON a.Id = w.case_id
  WHERE w.attribute <> 'queue'  -- an account has none
)
-- the value before the first change (one in the second of the creation is part of it), and after each
SELECT case_id, attribute, created_at AS since, 0::USMALLINT AS seq, arg_min_null(old_value, (moment, seq, source_id)) AS value
FROM change
GROUP BY case_id, attribute, created_at
HAVING min(moment) > created_at
UNION ALL
SELECT case_id, attribute, moment, CAST(seq AS USMALLINT), new_value FROM change;
