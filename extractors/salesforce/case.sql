-- Case management: one case per Case record that lives. Runs after the shared files, wherever the Salesforce tables are
-- visible. Read `cases` first (what we know of each case). Then every table in turn: each of its rows has an activity or
-- the reason why it tells none. `events` gathers the first, `unused` the second, `attributes` how attributes changed.

-- Since when the entitlement clock of a case stands still; null while it runs.
CREATE OR REPLACE TEMP MACRO still_since(is_stopped, since, created_at) AS
CASE WHEN is_stopped AND coalesce(since, created_at) <= as_of() THEN coalesce(since, created_at) END;

CREATE OR REPLACE TEMP VIEW cases AS
SELECT
  c.Id AS case_id,
  c.CreatedDate AS created_at,
  CASE WHEN k.stated_since IS NOT NULL THEN c.CreatedDate < k.stated_since
    ELSE coalesce(c.CreatedDate < k.first_since, FALSE)
      AND c.Id NOT IN (SELECT record_id FROM changes WHERE root = 'Case' AND field = 'created') END AS truncated,
  CASE WHEN c.CreatedDate < coalesce(k.stated_since, k.first_since) THEN coalesce(k.stated_since, k.first_since) END
    AS covered_from,  -- of a truncated case
  h.owner,
  h.manager,
  h.region,
  h.team,
  h.profile,
  h.queue,
  b.Name AS business_hours,
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
  c.ContactId AS contact_id,
  still_since(c.IsStopped, c.StopStartDate, c.CreatedDate) AS stopped_since
FROM living_cases AS c
CROSS JOIN case_coverage AS k
LEFT JOIN people AS h ON h.Id = c.OwnerId
LEFT JOIN Entitlement AS e ON e.Id = c.EntitlementId
LEFT JOIN BusinessHours AS b ON b.Id = coalesce(c.BusinessHoursId, e.BusinessHoursId)
LEFT JOIN RecordType AS t ON t.Id = c.RecordTypeId
LEFT JOIN Product2 AS p ON p.Id = c.ProductId
LEFT JOIN Account AS a ON a.Id = c.AccountId;

-- Which case a record belongs to: itself, or the one that it was merged into.
CREATE OR REPLACE TEMP VIEW case_of AS
SELECT Id AS record_id, Id AS case_id FROM living_cases
UNION ALL
SELECT m.loser_id, m.survivor_id FROM merges AS m JOIN living_cases AS l ON l.Id = m.survivor_id WHERE m.root = 'Case';

-- CaseHistory, apart from what case_moves tells.
CREATE OR REPLACE TEMP VIEW case_changes AS
WITH
urgency AS (FROM levels WHERE field = 'Priority'),  -- words without a level change without a direction
queue AS (SELECT unnest([Id, owner]) AS value FROM people WHERE kind = 'queue'),
escalation AS (SELECT DISTINCT CaseId, CreatedDate FROM CaseHistory WHERE Field = 'ownerEscalated' AND IsDeleted IS NOT TRUE)
SELECT o.case_id, c.record_id, c.moment AS occurred_at, c.actor, c.seq, c.source_table, c.source_id, c.old_value, c.new_value,
  CASE WHEN c.column_name = 'OwnerId' THEN 100 ELSE 150 END AS rank, d.delta, CAST(sign(d.delta) AS TINYINT) AS direction,
  CASE WHEN o.case_id IS NULL THEN 'of a deleted case'
    WHEN c.field IN ('Status', 'closed') AND c.record_id <> o.case_id THEN 'state of a record merged into another'
    WHEN c.field = 'Status' THEN 'status without a new value'
    WHEN c.field = 'closed' THEN 'told by the change of status'
    WHEN c.field = 'created' THEN 'told by the record'
    WHEN c.field = 'caseMerged' AND c.source_id IN (SELECT source_id FROM merges WHERE root = 'Case') THEN 'told as a merge'
    WHEN c.field = 'IsClosedOnCreate' THEN 'told by the record' END AS reason,
  CASE WHEN c.column_name = 'OwnerId' THEN
      CASE WHEN e.CaseId IS NOT NULL THEN 'Escalate Owner'
        WHEN starts_with(c.new_value, '00G') OR c.new_value IN (FROM queue) THEN 'Assign to Queue'
        WHEN c.field = 'ownerAccepted' OR starts_with(c.old_value, '00G') OR c.old_value IN (FROM queue) THEN 'Accept from Queue'
        ELSE 'Change Owner' END
    WHEN c.field = 'IsEscalated' THEN
      CASE WHEN lower(c.new_value) IN ('true', '1') THEN 'Escalate Case' ELSE 'De-escalate Case' END
    WHEN c.field = 'Priority' THEN
      CASE WHEN d.delta > 0 THEN 'Raise Priority' WHEN d.delta < 0 THEN 'Lower Priority' ELSE 'Change Priority' END
    WHEN c.kind = 'mark' THEN 'Mark: ' || c.field
    ELSE 'Change: ' || c.field END AS activity
FROM changes AS c
LEFT JOIN case_of AS o USING (record_id)
LEFT JOIN case_moves AS m ON m.source_table = c.source_table AND m.source_id = c.source_id
LEFT JOIN escalation AS e ON e.CaseId = c.record_id AND e.CreatedDate = c.moment AND c.column_name = 'OwnerId'
LEFT JOIN urgency AS b ON b.word = lower(c.old_value) AND c.field = 'Priority'
LEFT JOIN urgency AS a ON a.word = lower(c.new_value) AND c.field = 'Priority'
CROSS JOIN LATERAL (SELECT CAST(nullif(a.level - b.level, 0) AS DOUBLE) AS delta) AS d
WHERE c.root = 'Case' AND m.source_id IS NULL;

-- EmailMessage and CaseComment: what was said. An answer comes from a member of staff, not from the customer's portal user
-- and not from a program; who is not known counts as staff. The sender's clock (MessageDate) is not trusted.
CREATE OR REPLACE TEMP VIEW case_messages AS
WITH
message AS (
  SELECT 'EmailMessage' AS source_table, Id, ParentId, CreatedDate, CreatedById, ActivityId, IsDeleted,
    coalesce(Incoming, CASE WHEN Status IN ('3', 'Sent') THEN FALSE
      WHEN Status IN ('0', '1', '2', '4', 'New', 'Read', 'Replied', 'Forwarded') THEN TRUE END) AS is_incoming,
    Status IN ('5', 'Draft') AS is_draft, TRUE AS is_public
  FROM EmailMessage
  UNION ALL BY NAME
  SELECT 'CaseComment' AS source_table, Id, ParentId, CreatedDate, CreatedById, IsDeleted, IsPublished IS TRUE AS is_public
  FROM CaseComment
)
SELECT m.source_table, m.Id AS source_id, o.case_id, m.CreatedDate AS occurred_at, m.CreatedById AS actor, m.ActivityId,
  CASE WHEN m.IsDeleted THEN 'deleted' WHEN m.ParentId IS NULL THEN 'about no case'
    WHEN o.case_id IS NULL THEN 'of a deleted or unknown case' WHEN m.is_draft THEN 'draft'
    WHEN NOT m.is_public THEN 'internal comment'
    WHEN m.source_table = 'EmailMessage' AND m.is_incoming IS NULL THEN 'neither incoming nor sent' END AS reason,
  CASE WHEN m.is_incoming THEN 'Receive Email'
    WHEN m.source_table = 'CaseComment' AND w.kind = 'customer' THEN 'Receive Comment'
    WHEN w.kind IN ('automated', 'customer') THEN 'Automated Reply'
    ELSE 'Reply' END AS activity
FROM message AS m
LEFT JOIN case_of AS o ON o.record_id = m.ParentId
LEFT JOIN people AS w ON w.Id = m.CreatedById;

-- CaseMilestone: IsViolated goes stale in extracts, so a violation is recomputed and happens at the target, which already
-- leaves out the time that was stopped. Completed at an unknown moment is neither in time nor late; nor is one never
-- completed whose case was closed just before the target, or whose clock had stood still since before it.
CREATE OR REPLACE TEMP VIEW case_milestones AS
WITH milestone AS (
  SELECT m.Id AS source_id, o.case_id, m.CaseId AS record_id, m.CreatedDate, m.IsDeleted,
    coalesce(m.StartDate, m.CreatedDate) AS started_at, m.TargetDate AS target_at,
    CASE WHEN m.CompletionDate <= as_of() THEN m.CompletionDate END AS completed_at,
    m.IsCompleted IS TRUE AND m.CompletionDate IS NULL AS completed_somewhen, coalesce(t.Name, m.MilestoneTypeId) AS name
  FROM CaseMilestone AS m
  LEFT JOIN case_of AS o ON o.record_id = m.CaseId
  LEFT JOIN MilestoneType AS t ON t.Id = m.MilestoneTypeId
),
turn AS (  -- the last closing or reopening of a case at each moment that has one
  SELECT case_id AS turned_case, occurred_at AS turned_at,
    arg_max(activity, (rank, seq, source_id)) = 'Close Case' AS is_closed
  FROM case_moves
  WHERE activity IN ('Close Case', 'Reopen Case')
  GROUP BY ALL
),
standing AS (
  SELECT m.*, coalesce(t.is_closed, FALSE)
      OR coalesce(still_since(c.IsStopped, c.StopStartDate, c.CreatedDate) < m.target_at, FALSE) AS is_excused
  FROM milestone AS m
  ASOF LEFT JOIN turn AS t ON t.turned_case = m.case_id AND t.turned_at < m.target_at
  LEFT JOIN living_cases AS c ON c.Id = m.case_id
)
SELECT * EXCLUDE (IsDeleted, is_excused),
  target_at <= as_of() AND NOT completed_somewhen AND coalesce(completed_at > target_at, NOT is_excused) AS is_violated,
  CASE WHEN IsDeleted THEN 'deleted' WHEN case_id IS NULL THEN 'of a deleted case' END AS reason
FROM standing;

-- Task and Event.
CREATE OR REPLACE TEMP VIEW case_touches AS
SELECT t.*, o.case_id, w.kind,
  -- the task that Salesforce logs for a case's e-mail is that e-mail, told once
  (t.Id, o.case_id) IN (SELECT (ActivityId, case_id) FROM case_messages WHERE reason IS NULL AND ActivityId IS NOT NULL)
    AS is_copy
FROM touches AS t
JOIN case_of AS o ON o.record_id = t.WhatId
LEFT JOIN people AS w ON w.Id = t.actor;

CREATE OR REPLACE TEMP VIEW case_solutions AS
SELECT l.Id AS source_id, o.case_id, l.CreatedDate AS occurred_at, l.CreatedById AS actor, s.SolutionName AS new_value,
  CASE WHEN l.IsDeleted THEN 'deleted' WHEN o.case_id IS NULL THEN 'of a deleted case' END AS reason
FROM CaseSolution AS l
LEFT JOIN case_of AS o ON o.record_id = l.CaseId
LEFT JOIN Solution AS s ON s.Id = l.SolutionId;

CREATE OR REPLACE TEMP VIEW events AS
WITH
created AS (
  SELECT Id AS case_id, 'Create Case' AS activity, CreatedDate AS occurred_at, CreatedById AS actor, 0 AS rank,
    'Case' AS source_table, Id AS source_id, Id AS record_id
  FROM living_cases
),
merged AS (
  SELECT o.case_id, 'Merge Case' AS activity, m.moment AS occurred_at, coalesce(c.actor, l.LastModifiedById) AS actor,
    160 AS rank, m.source_table, m.source_id, m.loser_id AS old_value, o.case_id AS new_value, m.into_id AS record_id,
    m.estimated AS date_only
  FROM merges AS m
  JOIN case_of AS o ON o.record_id = m.loser_id
  LEFT JOIN "Case" AS l ON l.Id = m.loser_id
  LEFT JOIN changes AS c ON c.source_table = m.source_table AND c.source_id = m.source_id
  WHERE m.root = 'Case' AND m.moment IS NOT NULL
),
changed AS (SELECT * EXCLUDE reason FROM case_changes WHERE reason IS NULL),
-- Who answered first: the earliest message or outbound call or e-mail on record by staff; only in a case without any, the
-- first completion of a milestone of that name.
message AS (
  SELECT * EXCLUDE (reason, ActivityId), 140 AS rank, source_id AS record_id FROM case_messages WHERE reason IS NULL
),
touch AS (
  SELECT case_id, activity, occurred_at, recorded_at, actor, 120 AS rank, source_table, Id AS source_id, Id AS record_id,
    date_only, coalesce(kind, 'unknown') IN ('human', 'unknown') AS is_staff
  FROM case_touches WHERE NOT is_copy
),
answer AS (
  SELECT *, row_number() OVER (PARTITION BY case_id ORDER BY occurred_at, rank DESC, source_id) = 1 AS is_first
  FROM (
    FROM message WHERE activity = 'Reply'
    UNION ALL BY NAME
    SELECT * EXCLUDE is_staff FROM touch WHERE is_staff AND activity IN ('Outbound Call', 'Outbound Email')
  ) AS said
),
answered AS (
  SELECT * REPLACE (CASE WHEN is_first THEN 'First Response' ELSE activity END AS activity,
    CASE WHEN is_first THEN 140 ELSE rank END AS rank)
  FROM answer
),
other_messages AS (FROM message WHERE activity <> 'Reply'),
other_touches AS (
  FROM touch WHERE NOT (is_staff AND activity IN ('Outbound Call', 'Outbound Email'))
),
milestone AS (SELECT * EXCLUDE reason FROM case_milestones WHERE reason IS NULL),
responded AS (
  SELECT case_id, 'First Response' AS activity, completed_at AS occurred_at, greatest(completed_at, CreatedDate) AS recorded_at,
    140 AS rank, 'CaseMilestone' AS source_table, source_id, record_id, name AS new_value
  FROM milestone
  WHERE lower(trim(name)) = 'first response' AND completed_at IS NOT NULL AND case_id NOT IN (SELECT case_id FROM answer)
  QUALIFY row_number() OVER (PARTITION BY case_id ORDER BY completed_at, source_id) = 1
),
milestones AS (
  SELECT case_id, 'Start Milestone' AS activity, started_at AS occurred_at, greatest(started_at, CreatedDate) AS recorded_at,
    20 AS rank, 'CaseMilestone' AS source_table, source_id, record_id,
    CASE WHEN completed_somewhen THEN 'completed at an unknown moment' END AS old_value, name AS new_value,
    (epoch_us(target_at) - epoch_us(started_at)) / 1e6 AS delta
  FROM milestone WHERE started_at IS NOT NULL
  UNION ALL BY NAME
  SELECT case_id, 'Complete Milestone' AS activity, completed_at AS occurred_at,
    greatest(completed_at, CreatedDate) AS recorded_at, 170 AS rank, 'CaseMilestone' AS source_table, source_id, record_id,
    name AS new_value
  FROM milestone WHERE completed_at IS NOT NULL
  UNION ALL BY NAME
  SELECT case_id, 'Violate Milestone' AS activity, target_at AS occurred_at, greatest(target_at, CreatedDate) AS recorded_at,
    160 AS rank, 'CaseMilestone' AS source_table, source_id, name AS new_value
  FROM milestone WHERE is_violated
),
solutions AS (
  SELECT case_id, 'Attach Solution' AS activity, occurred_at, actor, 160 AS rank, 'CaseSolution' AS source_table, source_id,
    source_id AS record_id, new_value
  FROM case_solutions WHERE reason IS NULL
)
SELECT case_id, activity, occurred_at, coalesce(recorded_at, occurred_at) AS recorded_at, actor,
  CAST(rank AS UTINYINT) AS rank, CAST(coalesce(seq, 0) AS USMALLINT) AS seq, record_id, source_table, source_id,
  CAST(old_value AS VARCHAR) AS old_value, CAST(new_value AS VARCHAR) AS new_value,
  CAST(direction AS TINYINT) AS direction, CAST(delta AS DOUBLE) AS delta, coalesce(date_only, FALSE) AS date_only
FROM (
  FROM created UNION ALL BY NAME FROM merged UNION ALL BY NAME FROM case_moves UNION ALL BY NAME FROM changed
  UNION ALL BY NAME FROM other_messages UNION ALL BY NAME SELECT * EXCLUDE is_first FROM answered
  UNION ALL BY NAME SELECT * EXCLUDE is_staff FROM other_touches
  UNION ALL BY NAME FROM responded UNION ALL BY NAME FROM milestones UNION ALL BY NAME FROM solutions
) AS found;

-- Every row of the process's own tables that tells no event, and why. A row that does tell one may stand here too.
CREATE OR REPLACE TEMP VIEW unused AS
SELECT 'Case' AS source_table, Id AS source_id, 'deleted' AS reason
FROM "Case" WHERE Id NOT IN (SELECT record_id FROM case_of)
UNION ALL
SELECT 'Case', record_id, 'merged into another' FROM case_of WHERE record_id <> case_id
UNION ALL
SELECT source_table, source_id, reason FROM set_aside WHERE source_table = 'CaseHistory'
UNION ALL
SELECT source_table, source_id, reason FROM case_changes WHERE reason IS NOT NULL
UNION ALL
SELECT source_table, source_id, reason FROM case_messages WHERE reason IS NOT NULL
UNION ALL
SELECT 'CaseMilestone', source_id, coalesce(reason, 'neither begun, completed nor due') FROM case_milestones
WHERE reason IS NOT NULL OR (started_at IS NULL AND completed_at IS NULL AND is_violated IS NOT TRUE)
UNION ALL
SELECT 'CaseSolution', source_id, reason FROM case_solutions WHERE reason IS NOT NULL
UNION ALL
SELECT source_table, source_id, reason FROM no_touches
UNION ALL
SELECT t.source_table, t.Id, CASE WHEN o.is_copy THEN 'copy of an e-mail' ELSE 'about no case' END
FROM touches AS t
LEFT JOIN case_touches AS o ON o.source_table = t.source_table AND o.Id = t.Id
WHERE o.is_copy IS NOT FALSE
UNION ALL
SELECT 'Account', NULL, 'tells only attributes of its cases'
UNION ALL
SELECT 'AccountHistory', NULL, 'changes the account, not its cases'
UNION ALL
SELECT 'Entitlement', NULL, 'tells only attributes of its cases';

-- How attributes changed: the value before the first change, then the value after each. Of the record itself, not of those
-- merged into it; what people are (team, region) is known only as it is now.
CREATE OR REPLACE TEMP VIEW attributes AS
WITH
change AS (
  SELECT c.record_id AS case_id, l.CreatedDate AS created_at, c.column_name, c.moment, c.seq, c.source_id, c.old_value,
    c.new_value, c.by_id
  FROM changes AS c
  JOIN living_cases AS l ON l.Id = c.record_id
  WHERE c.root = 'Case' AND coalesce(c.old_value, c.new_value) IS NOT NULL
    AND c.column_name IN ('Status', 'Priority', 'Reason', 'Type', 'Origin', 'ProductId', 'RecordTypeId', 'OwnerId',
      'BusinessHoursId')
),
state AS (
  SELECT case_id, column_name, least(any_value(created_at), min(moment)) AS since, 0 AS seq,
    arg_min(by_id, (moment, seq, source_id)) AS by_id, arg_min_null(old_value, (moment, seq, source_id)) AS value
  FROM change GROUP BY case_id, column_name
  UNION ALL
  SELECT case_id, column_name, moment, seq + 1, by_id, new_value FROM change
),
named AS (
  SELECT s.*, CASE WHEN by_id THEN long_id(value) ELSE value END AS found FROM state AS s
)
SELECT case_id, attribute, since, CAST(seq AS USMALLINT) AS seq, value
FROM (
  SELECT case_id, CASE column_name WHEN 'Origin' THEN 'source' ELSE lower(column_name) END AS attribute, since, seq, value
  FROM named WHERE column_name IN ('Status', 'Priority', 'Reason', 'Type', 'Origin')
  UNION ALL
  SELECT n.case_id, 'product', n.since, n.seq, coalesce(p.Name, n.value)
  FROM named AS n
  LEFT JOIN Product2 AS p ON p.Id = n.found AND n.by_id
  WHERE n.column_name = 'ProductId'
  UNION ALL
  SELECT n.case_id, 'business_hours', n.since, n.seq, coalesce(b.Name, n.value, i.Name)
  FROM named AS n
  JOIN living_cases AS l ON l.Id = n.case_id
  LEFT JOIN BusinessHours AS b ON b.Id = n.found AND n.by_id
  LEFT JOIN Entitlement AS e ON e.Id = l.EntitlementId
  LEFT JOIN BusinessHours AS i ON i.Id = e.BusinessHoursId
  WHERE n.column_name = 'BusinessHoursId'
  UNION ALL
  SELECT n.case_id, 'record_type', n.since, n.seq, coalesce(t.DeveloperName, n.value)
  FROM named AS n
  LEFT JOIN RecordType AS t ON CASE WHEN n.by_id THEN t.Id = n.found ELSE t.Name = n.value AND t.SobjectType = 'Case' END
  WHERE n.column_name = 'RecordTypeId'
  UNION ALL
  SELECT n.case_id, unnest(['owner', 'manager', 'region', 'team', 'profile', 'queue']), n.since, n.seq,
    unnest([coalesce(h.owner, n.value), h.manager, h.region, h.team, h.profile, h.queue])
  FROM named AS n
  LEFT JOIN people_by_name AS b ON b.owner = n.value AND NOT n.by_id
  LEFT JOIN people AS h ON h.Id = coalesce(b.Id, n.found)
  WHERE n.column_name = 'OwnerId'
) AS known;
