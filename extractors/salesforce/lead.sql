-- Lead management: one case per lead. Runs after the files of [sql] in source.toml: `changes` is what history tells,
-- `conversions` who was converted when, `touches` work that is done, `people` who they are, `merges` who lives on in whom.
-- Read `cases` first (what we know of each lead), then `events` (what happened to it): every CTE is one source of events.
-- `unused` says of every other row why it tells none, `attributes` how what `cases` shows has changed.

-- Memberships in campaigns, given back to the lead where conversion moved them to the contact.
CREATE OR REPLACE TEMP VIEW lead_memberships AS
SELECT m.Id, coalesce(m.LeadId, v.lead_id) AS lead_id, m.CampaignId, coalesce(c.Name, m.CampaignId) AS campaign,
  m.CreatedDate, m.CreatedById, m.FirstRespondedDate, coalesce(m.SystemModstamp, m.LastModifiedDate) AS modified
FROM CampaignMember AS m
LEFT JOIN Campaign AS c ON c.Id = m.CampaignId
LEFT JOIN conversions AS v ON v.contact_id = m.ContactId AND m.LeadId IS NULL
  AND m.CreatedDate >= v.lead_created AND m.CreatedDate <= v.earliest
WHERE m.IsDeleted IS NOT TRUE AND coalesce(m.LeadId, v.lead_id) IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY m.Id ORDER BY v.moment, v.lead_id) = 1;

CREATE OR REPLACE TEMP VIEW cases AS
WITH campaign AS (  -- the campaign that reached the lead first
  SELECT lead_id, arg_min(campaign, (CreatedDate, Id)) AS campaign FROM lead_memberships GROUP BY lead_id
),
known AS (SELECT min(since) AS since FROM coverage WHERE root = 'Lead')
SELECT
  l.Id AS case_id,
  l.CreatedDate AS created_at,
  coalesce(l.CreatedDate < k.since, FALSE)
    AND l.Id NOT IN (SELECT record_id FROM changes WHERE root = 'Lead' AND field = 'created') AS truncated,
  CASE WHEN l.CreatedDate < k.since THEN k.since END AS covered_from,  -- of a truncated one
  h.owner,
  h.manager,
  h.region,
  h.team,
  h.profile,
  h.queue,
  t.DeveloperName AS record_type,
  l.LeadSource AS source,
  g.campaign,
  l.Industry AS industry,
  l.Country AS country,
  l.Rating AS rating,
  l.Status AS status,
  l.CurrencyIsoCode AS currency,
  l.AnnualRevenue AS annual_revenue,
  l.NumberOfEmployees AS employees,
  l.ConvertedAccountId AS account_id,
  l.ConvertedContactId AS contact_id,
  l.ConvertedOpportunityId AS opportunity_id
FROM Lead AS l
CROSS JOIN known AS k
LEFT JOIN people AS h ON h.Id = l.OwnerId
LEFT JOIN RecordType AS t ON t.Id = l.RecordTypeId
LEFT JOIN campaign AS g ON g.lead_id = l.Id
WHERE l.IsDeleted IS NOT TRUE;

-- Changes of status and what they mean, by the list in force for the lead's record type; and first, the status in which
-- the lead was created, as far as we know (`is_first`). Where no list is stated, the words of a status that LeadStatus
-- does not name decide whether it is lost, unless converted leads have it. Any other unknown status is open.
CREATE OR REPLACE TEMP TABLE lead_status AS
WITH
lead_type AS (
  SELECT l.Id, coalesce(m.record_type, '') AS record_type
  FROM Lead AS l
  LEFT JOIN RecordType AS t ON t.Id = l.RecordTypeId
  LEFT JOIN (SELECT DISTINCT record_type FROM stage_meaning WHERE root = 'Lead') AS m ON m.record_type = t.DeveloperName
),
meaning AS (FROM stage_meaning WHERE root = 'Lead'),
stated AS (SELECT DISTINCT record_type, since, until FROM meaning WHERE order_basis = 'stated'),
converted_word AS (FROM value_flags WHERE root = 'Lead' AND is_won),
change AS (
  SELECT case_id, record_id, moment, actor, seq, source_table, source_id, old_value, new_value
  FROM changes
  WHERE root = 'Lead' AND field = 'Status' AND new_value IS NOT NULL
),
first_change AS (
  SELECT record_id, arg_min({'value': old_value}, (moment, seq, source_id)) AS old FROM change GROUP BY record_id
),
told AS (
  SELECT *, FALSE AS is_first, TRUE AS changes_known FROM change
  UNION ALL
  SELECT l.Id, l.Id, l.CreatedDate, l.CreatedById, 0, 'Lead', l.Id, NULL,
    CASE WHEN f.old IS NULL THEN l.Status ELSE f.old.value END, TRUE, l.Id IN (SELECT record_id FROM all_changes
      WHERE root = 'Lead' AND field = 'Status' AND new_value IS NOT NULL)  -- at whatever time
  FROM Lead AS l
  LEFT JOIN first_change AS f ON f.record_id = l.Id
),
read AS (
  SELECT t.*, n.position - o.position AS move, coalesce(n.is_won, FALSE) AS is_converted,
    CASE WHEN o.value IS NOT NULL THEN o.is_closed AND NOT o.is_won WHEN s.since IS NOT NULL THEN FALSE
      ELSE coalesce(reads_as_lost(t.old_value), FALSE) AND t.old_value NOT IN (SELECT value FROM converted_word) END
      AS was_lost,
    CASE WHEN n.value IS NOT NULL THEN n.is_closed AND NOT n.is_won WHEN s.since IS NOT NULL THEN FALSE
      ELSE coalesce(reads_as_lost(t.new_value), FALSE) AND t.new_value NOT IN (SELECT value FROM converted_word) END
      AS is_lost
  FROM told AS t
  JOIN lead_type AS y ON y.Id = t.record_id
  LEFT JOIN stated AS s ON s.record_type = y.record_type AND t.moment >= s.since AND t.moment < s.until
  LEFT JOIN meaning AS o ON o.record_type = y.record_type AND o.value = t.old_value
    AND t.moment >= o.since AND t.moment < o.until
  LEFT JOIN meaning AS n ON n.record_type = y.record_type AND n.value = t.new_value
    AND t.moment >= n.since AND t.moment < n.until
)
FROM read;

-- Conversions known by now; and leads that nothing but the meaning of a status shows to be converted.
CREATE OR REPLACE TEMP TABLE lead_conversions AS
SELECT lead_id, moment, earliest, actor, date_only, source_table, source_id, lead_status AS status, opportunity_id
FROM conversions
WHERE moment <= as_of()
UNION ALL
SELECT record_id, moment, moment, actor, FALSE, source_table, source_id, new_value, NULL
FROM lead_status
WHERE is_converted AND NOT is_first AND record_id NOT IN (SELECT lead_id FROM conversions)
QUALIFY row_number() OVER (PARTITION BY record_id ORDER BY moment, seq, source_id) = 1;

CREATE OR REPLACE TEMP VIEW events AS
WITH
survivor AS (FROM merges WHERE root = 'Lead'),
created AS (
  SELECT Id AS case_id, 'Create Lead' AS activity, CreatedDate AS occurred_at, CreatedById AS actor, 0 AS rank,
    Id AS record_id, 'Lead' AS source_table, Id AS source_id
  FROM Lead
  WHERE IsDeleted IS NOT TRUE
),
converted AS (
  SELECT lead_id AS case_id, 'Convert Lead' AS activity, moment AS occurred_at, actor, 250 AS rank, lead_id AS record_id,
    source_table, source_id, status AS new_value, date_only
  FROM lead_conversions
),
status_changes AS (
  SELECT s.case_id,
    CASE WHEN s.is_lost AND NOT s.was_lost THEN 'Disqualify Lead'
      WHEN s.was_lost AND NOT s.is_lost THEN 'Recycle Lead'
      ELSE 'Status: ' || s.new_value END AS activity,
    s.moment AS occurred_at, s.actor, 200 AS rank, s.seq, s.record_id, s.source_table, s.source_id, s.old_value,
    s.new_value, s.move AS delta,
    CASE WHEN s.move > 1 THEN 2 WHEN s.move > 0 THEN 1 WHEN s.move < 0 THEN -1 END AS direction
  FROM lead_status AS s
  -- the change to the converted status is the conversion itself: one event, not two
  ANTI JOIN lead_conversions AS c ON c.lead_id = s.record_id AND (s.is_converted OR s.new_value = c.status)
    AND abs(date_diff('second', c.moment, s.moment)) <= 60
  WHERE NOT s.is_first
),
-- Disqualified from the start, or before any history we hold: then the last modification is the best bound known.
-- What only the record of today tells is known since its last modification, not earlier.
lost_unseen AS (
  SELECT l.Id AS case_id, 'Disqualify Lead' AS activity,
    CASE WHEN b.covered THEN l.CreatedDate ELSE b.modified END AS occurred_at,
    CASE WHEN s.changes_known OR b.covered AND l.CreatedDate >= v.first_row THEN l.CreatedDate ELSE b.modified END
      AS recorded_at,
    l.CreatedById AS actor, 250 AS rank, l.Id AS record_id, 'Lead' AS source_table, l.Id AS source_id, s.new_value,
    NOT b.covered AS date_only
  FROM Lead AS l
  JOIN as_of.Lead AS n ON n.Id = l.Id
  JOIN lead_status AS s ON s.record_id = l.Id AND s.is_first AND s.is_lost
  LEFT JOIN (SELECT DISTINCT record_id FROM changes WHERE root = 'Lead' AND field = 'created') AS c ON c.record_id = l.Id
  LEFT JOIN (SELECT max(since) FILTER (basis = 'stated') AS since, min(since) AS first_row,
    count(*) > 0 AS tracked FROM coverage
    WHERE root = 'Lead' AND field = 'Status') AS v ON TRUE
  CROSS JOIN LATERAL (SELECT c.record_id IS NOT NULL AND v.tracked AND coalesce(l.CreatedDate >= v.since, TRUE) AS covered,
    greatest(l.CreatedDate, coalesce(n.LastModifiedDate, n.SystemModstamp)) AS modified) AS b
  WHERE l.IsDeleted IS NOT TRUE AND l.Id NOT IN (SELECT lead_id FROM lead_conversions)
    AND (b.covered OR NOT s.changes_known)
),
owners AS (
  SELECT c.case_id,
    CASE WHEN coalesce(starts_with(c.new_value, '00G'), FALSE) OR n.name IS NOT NULL THEN 'Assign to Queue'
      WHEN c.field = 'ownerAccepted' OR starts_with(c.old_value, '00G') OR o.name IS NOT NULL THEN 'Accept from Queue'
      ELSE 'Change Owner' END AS activity,
    c.moment AS occurred_at, c.actor, 100 AS rank, c.seq, c.record_id, c.source_table, c.source_id, c.old_value, c.new_value
  FROM changes AS c
  LEFT JOIN (SELECT DISTINCT owner AS name FROM people WHERE kind = 'queue') AS n ON n.name = c.new_value
  LEFT JOIN (SELECT DISTINCT owner AS name FROM people WHERE kind = 'queue') AS o ON o.name = c.old_value
  WHERE c.root = 'Lead' AND c.column_name = 'OwnerId'
),
ratings AS (
  SELECT case_id, CASE WHEN delta > 0 THEN 'Raise Rating' WHEN delta < 0 THEN 'Lower Rating' ELSE 'Change Rating' END AS activity,
    moment AS occurred_at, actor, 150 AS rank, seq, record_id, source_table, source_id, old_value, new_value,
    sign(delta) AS direction, delta
  FROM level_changes('Lead', 'Rating')
),
other_changes AS (
  SELECT case_id, CASE WHEN kind = 'mark' THEN 'Mark: ' ELSE 'Change: ' END || field AS activity, moment AS occurred_at,
    actor, 150 AS rank, seq, record_id, source_table, source_id, old_value, new_value
  FROM changes
  WHERE root = 'Lead' AND column_name IS DISTINCT FROM 'OwnerId'
    AND field NOT IN ('Status', 'Rating', 'created', 'leadConverted', 'leadMerged')
),
-- A merge is told by the lead that went into another; the mark on the other tells when. A mark alone stands for itself.
merged AS (
  SELECT survivor_id AS case_id, 'Merge Lead' AS activity, moment AS occurred_at, 150 AS rank, into_id AS record_id,
    'Lead' AS source_table, loser_id AS source_id, loser_id AS old_value, into_id AS new_value, estimated AS date_only
  FROM survivor
  UNION ALL BY NAME
  SELECT case_id, 'Merge Lead' AS activity, moment AS occurred_at, actor, 150 AS rank, seq, record_id, source_table, source_id
  FROM changes
  WHERE root = 'Lead' AND field = 'leadMerged' AND source_id NOT IN (SELECT source_id FROM survivor)
),
campaigns AS (
  SELECT lead_id AS case_id, 'Join Campaign' AS activity, CreatedDate AS occurred_at, CreatedById AS actor, 160 AS rank,
    Id AS record_id, 'CampaignMember' AS source_table, Id AS source_id, campaign AS new_value
  FROM lead_memberships
  UNION ALL BY NAME
  SELECT lead_id AS case_id, 'Respond to Campaign' AS activity,
    greatest(CreatedDate, least(end_of_day(FirstRespondedDate), modified)) AS occurred_at, 160 AS rank, 1 AS seq,
    Id AS record_id, 'CampaignMember' AS source_table, Id AS source_id, campaign AS new_value, TRUE AS date_only
  FROM lead_memberships
  WHERE FirstRespondedDate IS NOT NULL
),
touched AS (
  SELECT coalesce(t.moved_from, t.WhoId) AS case_id, t.activity, t.occurred_at, t.recorded_at, t.actor, 120 AS rank,
    t.Id AS record_id, t.source_table, t.Id AS source_id, t.date_only
  FROM touches AS t
  WHERE t.moved_from IS NOT NULL OR t.WhoId IN (SELECT Id FROM Lead)
),
made AS (  -- what the conversion made, not what it found: in the same transaction
  SELECT c.lead_id AS case_id, 'Create ' || k.source_table AS activity, k.CreatedDate AS occurred_at,
    k.CreatedById AS actor, 161 AS rank, 3 - k.place AS seq, k.Id AS record_id, k.source_table, k.Id AS source_id,
    k.Name AS new_value
  FROM lead_conversions AS c
  JOIN conversion_links AS k ON k.lead_id = c.lead_id
  WHERE NOT c.date_only AND NOT k.is_shadow AND abs(date_diff('second', c.moment, k.CreatedDate)) <= 60
),
opportunities AS (  -- what became of it
  SELECT c.lead_id AS case_id, e.activity, e.occurred_at, e.recorded_at, e.actor, 251 AS rank, e.seq,
    o.Id AS record_id,
    e.source_table, e.source_id, o.Name AS new_value, e.date_only
  FROM lead_conversions AS c
  JOIN Opportunity AS o ON o.Id = c.opportunity_id
  JOIN opportunity_moves AS e ON e.OpportunityId = o.Id AND e.occurred_at >= c.earliest
  WHERE e.activity IN ('Win Opportunity', 'Lose Opportunity', 'Close Opportunity')
),
found AS (
  FROM created UNION ALL BY NAME FROM converted UNION ALL BY NAME FROM status_changes UNION ALL BY NAME FROM lost_unseen
  UNION ALL BY NAME FROM owners UNION ALL BY NAME FROM ratings UNION ALL BY NAME FROM other_changes
  UNION ALL BY NAME FROM merged UNION ALL BY NAME FROM campaigns UNION ALL BY NAME FROM touched
  UNION ALL BY NAME FROM made UNION ALL BY NAME FROM opportunities
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
gone AS (SELECT Id FROM Lead WHERE IsDeleted AND Id NOT IN (SELECT loser_id FROM merges WHERE root = 'Lead')),
linked AS (
  SELECT unnest([account_id, contact_id, opportunity_id]) AS Id FROM conversions WHERE moment <= as_of()
),
became AS (
  SELECT 'Account' AS source_table, Id FROM Account
  UNION ALL SELECT 'Contact', Id FROM Contact
  UNION ALL SELECT 'Opportunity', Id FROM Opportunity
)
SELECT source_table, source_id, reason FROM set_aside
WHERE source_table IN ('LeadHistory', 'OpportunityFieldHistory', 'OpportunityHistory')
UNION ALL
SELECT 'Lead', Id, 'deleted row' FROM Lead WHERE IsDeleted
UNION ALL
SELECT 'LeadHistory', h.Id, CASE WHEN h.LeadId IN (SELECT Id FROM gone) THEN 'the lead is deleted'
    WHEN h.Field = 'created' THEN 'the lead itself tells its creation'
    WHEN h.Field = 'leadMerged' THEN 'the lead that went into this one tells the merge'
    WHEN h.Field = 'leadConverted' THEN 'an earlier row tells the conversion'
    WHEN h.Field = 'Status' AND h.NewValue IS NULL THEN 'names no new status'
    WHEN h.Field = 'Status' THEN 'the conversion itself' END
FROM LeadHistory AS h
WHERE (h.LeadId IN (SELECT Id FROM gone) OR h.Field IN ('created', 'leadMerged', 'leadConverted', 'Status'))
  AND h.Id NOT IN (SELECT source_id FROM set_aside WHERE source_table = 'LeadHistory')
UNION ALL
SELECT 'CampaignMember', Id, CASE WHEN IsDeleted THEN 'deleted row' ELSE 'membership of a contact' END
FROM CampaignMember
WHERE IsDeleted OR LeadId IS NULL
UNION ALL
SELECT source_table, Id, CASE WHEN Id IN (SELECT Id FROM conversion_links WHERE is_shadow) THEN 'the person account itself'
    ELSE 'not made by the conversion' END
FROM became
WHERE Id IN (SELECT Id FROM linked WHERE Id IS NOT NULL)
UNION ALL
SELECT h.source_table, h.Id, 'tells no ending of the opportunity since the conversion'
FROM (SELECT 'OpportunityFieldHistory' AS source_table, Id, OpportunityId FROM OpportunityFieldHistory
  UNION ALL SELECT 'OpportunityHistory', Id, OpportunityId FROM OpportunityHistory) AS h
WHERE h.OpportunityId IN (SELECT Id FROM linked WHERE Id IS NOT NULL)
  AND h.Id NOT IN (SELECT source_id FROM set_aside WHERE source_table IN ('OpportunityFieldHistory', 'OpportunityHistory'))
UNION ALL
FROM no_touches
UNION ALL
FROM mails_aside
UNION ALL
SELECT 'CampaignMember', NULL, 'the lead is deleted or unknown'
UNION ALL
SELECT unnest(['Account', 'Contact', 'Opportunity']), NULL, 'no lead was converted into it'
UNION ALL
SELECT 'AccountHistory', NULL, 'changes the account, not the lead'
UNION ALL
SELECT unnest(['OpportunityFieldHistory', 'OpportunityHistory']), NULL, 'no lead was converted into the opportunity'
UNION ALL
SELECT unnest(['Task', 'Event']), NULL, 'about no lead';

CREATE OR REPLACE TEMP VIEW attributes AS
WITH
shown (column_name, attribute) AS (VALUES ('LeadSource', 'source'), ('Industry', 'industry'), ('Country', 'country'),
  ('Rating', 'rating'), ('Status', 'status'), ('CurrencyIsoCode', 'currency'), ('AnnualRevenue', 'annual_revenue'),
  ('NumberOfEmployees', 'employees')),
change AS (
  SELECT c.case_id, l.CreatedDate AS created_at, c.moment, c.seq, c.source_id, s.attribute, c.old_value, c.new_value
  FROM changes AS c
  JOIN Lead AS l ON l.Id = c.record_id
  JOIN shown AS s ON s.column_name = c.column_name
  WHERE c.root = 'Lead' AND c.record_id = c.case_id AND (c.old_value IS NOT NULL OR c.new_value IS NOT NULL)
  UNION ALL
  SELECT w.case_id, l.CreatedDate, w.moment, w.seq, w.source_id, w.attribute, w.old_value, w.new_value
  FROM owner_and_type_changes('Lead') AS w
  JOIN Lead AS l ON l.Id = w.case_id
  UNION ALL
  SELECT m.lead_id, l.CreatedDate, m.CreatedDate, 0, m.Id, 'campaign', NULL, m.campaign
  FROM lead_memberships AS m
  JOIN Lead AS l ON l.Id = m.lead_id
  QUALIFY row_number() OVER (PARTITION BY m.lead_id ORDER BY m.CreatedDate, m.Id) = 1
)
-- the value before the first change (one in the second of the creation is part of it), and after each
SELECT case_id, attribute, created_at AS since, 0::USMALLINT AS seq, arg_min_null(old_value, (moment, seq, source_id)) AS value
FROM change
GROUP BY case_id, attribute, created_at
HAVING min(moment) > created_at
UNION ALL
SELECT case_id, attribute, moment, CAST(seq AS USMALLINT), new_value FROM change;
