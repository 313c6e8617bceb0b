-- Lead management: one case per lead. Runs after source.sql, wherever the Salesforce tables are visible.
-- Read `cases` first (what we know of each lead), then `events` (what happened to it): every CTE is one source of events.

CREATE OR REPLACE TEMP VIEW cases AS
WITH campaign AS (  -- the campaign that reached the lead first
  SELECT DISTINCT ON (m.LeadId) m.LeadId, c.Name AS campaign
  FROM CampaignMember AS m
  JOIN Campaign AS c ON c.Id = m.CampaignId
  WHERE m.LeadId IS NOT NULL AND m.IsDeleted IS NOT TRUE
  ORDER BY m.LeadId, m.CreatedDate, m.Id
)
SELECT
  l.Id AS case_id,
  l.CreatedDate AS created_at,
  coalesce(l.CreatedDate < (SELECT min(CreatedDate) FROM LeadHistory), FALSE)
    AND l.Id NOT IN (SELECT LeadId FROM LeadHistory WHERE Field = 'created' AND LeadId IS NOT NULL) AS truncated,
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
LEFT JOIN people AS h ON h.Id = l.OwnerId
LEFT JOIN RecordType AS t ON t.Id = l.RecordTypeId
LEFT JOIN campaign AS g ON g.LeadId = l.Id
WHERE l.IsDeleted IS NOT TRUE;

CREATE OR REPLACE TEMP VIEW events AS
WITH
-- What a status means: the stated list, else LeadStatus, and for values in neither the records themselves.
-- A status nobody explains counts as open. Salesforce has no flag for "disqualified": without a stated list the words
-- of the status decide.
listed AS (
  SELECT value, position, is_closed AND is_won AS converted, is_closed AND NOT is_won AS lost
  FROM stages WHERE root = 'Lead'
  UNION ALL
  SELECT ApiName, SortOrder, IsConverted IS TRUE,
    IsConverted IS NOT TRUE AND regexp_matches(ApiName, '(?i)^closed|unqualified|disqualified|not converted|rejected|junk')
  FROM LeadStatus
  WHERE ApiName IS NOT NULL AND NOT EXISTS (FROM stages WHERE root = 'Lead')
),
status AS (  -- positions count open statuses only, so that a jump of two is a skip
  SELECT value, converted, lost,
    CASE WHEN NOT converted AND NOT lost
      THEN CAST(dense_rank() OVER (PARTITION BY converted OR lost ORDER BY position) AS INTEGER) END AS position
  FROM listed
  UNION ALL
  SELECT Status, FALSE, regexp_matches(Status, '(?i)^closed|unqualified|disqualified|not converted|rejected|junk'), NULL
  FROM (SELECT DISTINCT Status FROM Lead WHERE Status IS NOT NULL AND IsConverted IS NOT TRUE
    AND NOT EXISTS (FROM stages WHERE root = 'Lead')) AS current_value
  WHERE Status NOT IN (SELECT value FROM listed)
),
status_rows AS (
  SELECT r.Id, r.LeadId, r.CreatedDate, r.CreatedById, r.OldValue, r.NewValue,
    coalesce(o.lost, FALSE) AS was_lost, coalesce(n.lost, FALSE) AS is_lost,
    coalesce(n.converted, FALSE) AS is_converted, n.position - o.position AS move
  FROM LeadHistory AS r
  LEFT JOIN status AS o ON o.value = r.OldValue
  LEFT JOIN status AS n ON n.value = r.NewValue
  WHERE r.Field = 'Status' AND r.NewValue IS NOT NULL AND r.NewValue IS DISTINCT FROM r.OldValue
),
-- The moment of conversion: the history row; else the change to a converted status; else the creation of the records
-- that conversion made (ConvertedDate is their day); else only the day, put at its end.
history_of_conversion AS (
  SELECT LeadId, min(CreatedDate) AS moment, arg_min(Id, (CreatedDate, Id)) AS source_id,
    arg_min(CreatedById, (CreatedDate, Id)) AS actor
  FROM (
    SELECT Id, LeadId, CreatedDate, CreatedById, 0 AS choice FROM LeadHistory WHERE Field = 'leadConverted'
    UNION ALL
    SELECT Id, LeadId, CreatedDate, CreatedById, 1 FROM status_rows WHERE is_converted
  ) AS found
  WHERE choice = 0
    OR LeadId NOT IN (SELECT LeadId FROM LeadHistory WHERE Field = 'leadConverted' AND LeadId IS NOT NULL)
  GROUP BY LeadId
),
made AS (
  SELECT l.Id AS lead_id, coalesce(o.CreatedDate, k.CreatedDate, a.CreatedDate) AS moment,
    coalesce(o.CreatedById, k.CreatedById, a.CreatedById) AS actor
  FROM Lead AS l
  LEFT JOIN Opportunity AS o ON o.Id = l.ConvertedOpportunityId AND o.CreatedDate >= l.CreatedDate
    AND abs(date_diff('day', l.ConvertedDate, local_day(o.CreatedDate))) <= 1
  LEFT JOIN Contact AS k ON k.Id = l.ConvertedContactId AND k.CreatedDate >= l.CreatedDate
    AND abs(date_diff('day', l.ConvertedDate, local_day(k.CreatedDate))) <= 1
  LEFT JOIN Account AS a ON a.Id = l.ConvertedAccountId AND a.CreatedDate >= l.CreatedDate
    AND abs(date_diff('day', l.ConvertedDate, local_day(a.CreatedDate))) <= 1
  WHERE l.IsConverted
),
conversion AS (
  SELECT l.Id AS lead_id, l.CreatedDate AS created_at, l.ConvertedContactId, l.ConvertedOpportunityId, l.Status,
    coalesce(h.source_id, l.Id) AS source_id,
    CASE WHEN h.moment IS NULL THEN m.actor ELSE h.actor END AS actor,
    coalesce(h.moment, m.moment, greatest(l.CreatedDate, least(end_of_day(l.ConvertedDate),
      coalesce(l.SystemModstamp, l.LastModifiedDate)))) AS moment,
    h.moment IS NULL AND m.moment IS NULL AS date_only
  FROM Lead AS l
  LEFT JOIN history_of_conversion AS h ON h.LeadId = l.Id
  LEFT JOIN made AS m ON m.lead_id = l.Id
  WHERE (l.IsConverted OR h.moment IS NOT NULL)
    AND (h.moment IS NOT NULL OR m.moment IS NOT NULL OR l.ConvertedDate IS NOT NULL)
),
created AS (
  SELECT Id AS case_id, 'Create Lead' AS activity, CreatedDate AS occurred_at, CreatedDate AS recorded_at,
    CreatedById AS actor, 0 AS rank, Id AS source_id, NULL AS old_value, NULL AS new_value, NULL AS direction,
    FALSE AS date_only
  FROM Lead
),
converted AS (
  SELECT lead_id, 'Convert Lead', moment, moment, actor, 250, source_id, NULL, Status, NULL, date_only FROM conversion
),
status_changes AS (
  SELECT s.LeadId,
    CASE WHEN s.is_lost AND NOT s.was_lost THEN 'Disqualify Lead'
      WHEN s.was_lost AND NOT s.is_lost THEN 'Recycle Lead'
      ELSE 'Status: ' || s.NewValue END,
    s.CreatedDate, s.CreatedDate, s.CreatedById, CASE WHEN s.is_lost AND NOT s.was_lost THEN 250 ELSE 200 END,
    s.Id, s.OldValue, s.NewValue,
    CASE WHEN s.move > 1 THEN 2 WHEN s.move > 0 THEN 1 WHEN s.move < 0 THEN -1 END, FALSE
  FROM status_rows AS s
  -- a change to the converted status is the conversion itself: one event, not two
  WHERE NOT (s.is_converted AND s.LeadId IN (SELECT lead_id FROM conversion))
),
first_status AS (
  SELECT LeadId, arg_min(OldValue, (CreatedDate, Id)) AS value FROM status_rows GROUP BY LeadId
),
-- Disqualified from the start, or before any history we hold: then the last modification is the best bound known.
-- What only the record of today tells is known since its last modification, not earlier.
lost_unseen AS (
  SELECT l.Id, 'Disqualify Lead', CASE WHEN u.covered THEN l.CreatedDate ELSE u.modified END,
    CASE WHEN u.changes_known THEN l.CreatedDate ELSE u.modified END, l.CreatedById, 250, l.Id, NULL, u.value, NULL,
    NOT u.covered
  FROM Lead AS l
  LEFT JOIN first_status AS f ON f.LeadId = l.Id
  LEFT JOIN (SELECT DISTINCT LeadId FROM LeadHistory WHERE Field = 'created') AS c ON c.LeadId = l.Id
  CROSS JOIN LATERAL (SELECT f.LeadId IS NOT NULL AS changes_known,
    CASE WHEN f.LeadId IS NULL THEN l.Status ELSE f.value END AS value,
    c.LeadId IS NOT NULL AND EXISTS (SELECT 1 FROM status_rows) AS covered,
    greatest(l.CreatedDate, coalesce(l.LastModifiedDate, l.SystemModstamp)) AS modified) AS u
  JOIN status AS s ON s.value = u.value AND s.lost
  WHERE l.IsConverted IS NOT TRUE AND (u.covered OR NOT u.changes_known)
),
owners AS (
  SELECT case_id, activity, CreatedDate, CreatedDate, CreatedById, 100, Id, OldValue, NewValue, NULL, FALSE
  FROM owner_changes('Lead')
),
other_changes AS (
  SELECT case_id, 'Change: ' || Field, CreatedDate, CreatedDate, CreatedById, 150, Id, OldValue, NewValue, NULL, FALSE
  FROM field_changes('Lead')
  WHERE Field NOT IN ('Status', 'Owner')
),
touch AS (FROM touches),
touch_of_lead AS (
  SELECT l.Id AS lead_id, t.* FROM touch AS t JOIN Lead AS l ON l.Id = t.WhoId
  UNION ALL
  -- conversion moves a lead's activities to the contact: those done before it are given back
  SELECT * FROM (
    SELECT c.lead_id, t.* FROM touch AS t
    JOIN conversion AS c ON c.ConvertedContactId = t.WhoId
      AND t.CreatedDate >= c.created_at AND t.recorded_at <= c.moment
    QUALIFY row_number() OVER (PARTITION BY t.Id ORDER BY c.moment, c.lead_id) = 1
  ) AS moved
),
touched AS (
  SELECT lead_id, activity, occurred_at, recorded_at, actor, 120, Id, NULL, NULL, NULL, date_only FROM touch_of_lead
),
opportunities AS (  -- what became of it
  SELECT c.lead_id, 'Create Opportunity', o.CreatedDate, o.CreatedDate, o.CreatedById, 160, o.Id, NULL, o.Name, NULL, FALSE
  FROM conversion AS c
  JOIN Opportunity AS o ON o.Id = c.ConvertedOpportunityId
  WHERE abs(date_diff('second', c.moment, o.CreatedDate)) <= CASE WHEN c.date_only THEN 86400 ELSE 60 END
  UNION ALL
  SELECT c.lead_id, e.activity, e.occurred_at, e.recorded_at, e.actor, 251, e.source_id, NULL, o.Name, NULL, e.date_only
  FROM conversion AS c
  JOIN Opportunity AS o ON o.Id = c.ConvertedOpportunityId
  JOIN opportunity_ends() AS e ON e.OpportunityId = o.Id
)
SELECT case_id, activity, occurred_at, recorded_at, actor, CAST(rank AS UTINYINT) AS rank, source_id,
  CAST(old_value AS VARCHAR) AS old_value, CAST(new_value AS VARCHAR) AS new_value,
  CAST(direction AS TINYINT) AS direction, date_only
FROM (
  FROM created UNION ALL FROM converted UNION ALL FROM status_changes UNION ALL FROM lost_unseen
  UNION ALL FROM owners UNION ALL FROM other_changes UNION ALL FROM touched UNION ALL FROM opportunities
) AS found;
