-- Case management: one case per Case record. Runs after source.sql, wherever the Salesforce tables are visible.
-- Read `cases` first (what we know of each case), then `events`: every CTE is one source of events.

CREATE OR REPLACE TEMP VIEW cases AS
SELECT
  c.Id AS case_id,
  c.CreatedDate AS created_at,
  coalesce(c.CreatedDate < (SELECT min(CreatedDate) FROM CaseHistory), FALSE)
    AND c.Id NOT IN (SELECT CaseId FROM CaseHistory WHERE Field = 'created' AND CaseId IS NOT NULL) AS truncated,
  h.owner,
  h.manager,
  h.region,
  h.team,
  h.profile,
  h.queue,
  t.DeveloperName AS record_type,
  c.Origin AS source,
  p.Name AS product,
  a.Name AS account,
  a.Industry AS industry,
  coalesce(a.BillingCountry, a.BillingCountryCode) AS country,
  c.Type AS type,
  c.Priority AS priority,
  c.Reason AS reason,
  c.Status AS status,
  c.CurrencyIsoCode AS currency,
  c.AccountId AS account_id,
  c.ContactId AS contact_id
FROM "Case" AS c
LEFT JOIN people AS h ON h.Id = c.OwnerId
LEFT JOIN RecordType AS t ON t.Id = c.RecordTypeId
LEFT JOIN Product2 AS p ON p.Id = c.ProductId
LEFT JOIN Account AS a ON a.Id = c.AccountId
WHERE c.IsDeleted IS NOT TRUE;

CREATE OR REPLACE TEMP VIEW events AS
WITH
created AS (
  SELECT Id AS case_id, 'Create Case' AS activity, CreatedDate AS occurred_at, CreatedDate AS recorded_at,
    CreatedById AS actor, 0 AS rank, Id AS source_id, NULL AS old_value, NULL AS new_value, NULL AS direction,
    FALSE AS date_only
  FROM "Case"
),
status_changes AS (FROM case_moves()),
owners AS (
  SELECT case_id, CASE WHEN Field = 'ownerEscalated' THEN 'Escalate Owner' ELSE activity END,
    CreatedDate, CreatedDate, CreatedById, 100, Id, OldValue, NewValue, NULL, FALSE
  FROM owner_changes('Case')
),
escalations AS (
  SELECT CaseId, CASE WHEN lower(NewValue) IN ('true', '1') THEN 'Escalate Case' ELSE 'De-escalate Case' END,
    CreatedDate, CreatedDate, CreatedById, 150, Id, OldValue, NewValue, NULL, FALSE
  FROM CaseHistory
  WHERE Field = 'IsEscalated' AND OldValue IS DISTINCT FROM NewValue
),
-- Salesforce keeps no order of priorities: these words, whatever their case; others change without a direction.
urgency (word, level) AS (
  VALUES ('low', 1), ('p4', 1), ('medium', 2), ('normal', 2), ('p3', 2), ('high', 3), ('p2', 3), ('urgent', 4),
    ('critical', 4), ('p1', 4)
),
priority_changes AS (
  SELECT r.CaseId, CASE WHEN n.level > o.level THEN 'Raise Priority' WHEN n.level < o.level THEN 'Lower Priority'
      ELSE 'Change Priority' END,
    r.CreatedDate, r.CreatedDate, r.CreatedById, 150, r.Id, r.OldValue, r.NewValue,
    CASE WHEN n.level > o.level THEN 1 WHEN n.level < o.level THEN -1 END, FALSE
  FROM CaseHistory AS r
  LEFT JOIN urgency AS o ON o.word = lower(r.OldValue)
  LEFT JOIN urgency AS n ON n.word = lower(r.NewValue)
  WHERE r.Field = 'Priority' AND r.OldValue IS DISTINCT FROM r.NewValue
),
other_changes AS (
  SELECT case_id, 'Change: ' || Field, CreatedDate, CreatedDate, CreatedById, 150, Id, OldValue, NewValue, NULL, FALSE
  FROM field_changes('Case')
  WHERE Field NOT IN ('Status', 'Owner', 'IsEscalated', 'IsClosedOnCreate', 'Priority')
),
-- What was said: e-mails and published comments. An answer comes from a member of staff, not from the customer's
-- portal user and not from an automated process; where users are unknown, every writer counts as staff.
message AS (
  SELECT m.ParentId, m.Id, m.CreatedDate, m.CreatedById, m.Incoming IS TRUE AS from_customer, 'Receive Email' AS received
  FROM EmailMessage AS m
  LEFT JOIN "User" AS u ON u.Id = m.CreatedById
  WHERE m.IsDeleted IS NOT TRUE AND m.Status IS DISTINCT FROM '5' AND m.Status IS DISTINCT FROM 'Draft'
    AND (m.Incoming OR coalesce(u.UserType, 'Standard') IN ('Standard', 'PowerPartner'))
  UNION ALL
  SELECT m.ParentId, m.Id, m.CreatedDate, m.CreatedById,
    coalesce(u.UserType, 'Standard') NOT IN ('Standard', 'PowerPartner'), 'Receive Comment'
  FROM CaseComment AS m
  LEFT JOIN "User" AS u ON u.Id = m.CreatedById
  WHERE m.IsPublished AND m.IsDeleted IS NOT TRUE AND u.UserType IS DISTINCT FROM 'AutomatedProcess'
),
messages AS (
  SELECT ParentId,
    CASE WHEN from_customer THEN received
      WHEN row_number() OVER (PARTITION BY ParentId, from_customer ORDER BY CreatedDate, Id) = 1 THEN 'First Response'
      ELSE 'Reply' END,
    CreatedDate, CreatedDate, CreatedById, 140, Id, NULL, NULL, NULL, FALSE
  FROM message
  WHERE ParentId IN (SELECT Id FROM "Case")
),
-- Milestones: IsViolated goes stale in extracts, so a violation is recomputed and happens at the target.
milestone AS (
  SELECT m.Id, m.CaseId, coalesce(m.StartDate, m.CreatedDate) AS started, m.CreatedDate, m.TargetDate, m.CompletionDate,
    m.CompletionDate > m.TargetDate OR (m.CompletionDate IS NULL AND m.IsCompleted IS NOT TRUE) AS late,
    coalesce(t.Name, m.MilestoneTypeId) AS name
  FROM CaseMilestone AS m
  LEFT JOIN MilestoneType AS t ON t.Id = m.MilestoneTypeId
  WHERE m.IsDeleted IS NOT TRUE
),
milestones AS (
  SELECT CaseId, 'Start Milestone', started, greatest(started, CreatedDate), NULL, 20, Id, NULL, name, NULL, FALSE
  FROM milestone
  UNION ALL
  SELECT CaseId, 'Complete Milestone', CompletionDate, CompletionDate, NULL, 170, Id, NULL, name, NULL, FALSE
  FROM milestone WHERE CompletionDate IS NOT NULL
  UNION ALL
  SELECT CaseId, 'Violate Milestone', TargetDate, TargetDate, NULL, 160, Id, NULL, name, NULL, FALSE
  FROM milestone WHERE late AND TargetDate IS NOT NULL
),
solutions AS (
  SELECT l.CaseId, 'Attach Solution', l.CreatedDate, l.CreatedDate, l.CreatedById, 160, l.Id, NULL, s.SolutionName, NULL,
    FALSE
  FROM CaseSolution AS l
  LEFT JOIN Solution AS s ON s.Id = l.SolutionId
  WHERE l.IsDeleted IS NOT TRUE
),
touched AS (
  SELECT WhatId, activity, occurred_at, recorded_at, actor, 120, Id, NULL, NULL, NULL, date_only
  FROM touches
  WHERE WhatId IN (SELECT Id FROM "Case")
    -- the task that Salesforce logs for a case e-mail is that e-mail, told once
    AND Id NOT IN (SELECT ActivityId FROM EmailMessage WHERE ActivityId IS NOT NULL)
)
SELECT case_id, activity, occurred_at, recorded_at, actor, CAST(rank AS UTINYINT) AS rank, source_id,
  CAST(old_value AS VARCHAR) AS old_value, CAST(new_value AS VARCHAR) AS new_value,
  CAST(direction AS TINYINT) AS direction, date_only
FROM (
  FROM created UNION ALL FROM status_changes UNION ALL FROM owners UNION ALL FROM escalations
  UNION ALL FROM priority_changes UNION ALL FROM other_changes UNION ALL FROM messages UNION ALL FROM milestones
  UNION ALL FROM solutions UNION ALL FROM touched
) AS found;
