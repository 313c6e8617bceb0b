-- What the processes of this CRM share. Runs before each of them: in a DuckDB shell `.read source.sql`, then
-- `.read lead.sql`. Views are what every process reads, macros what some do: unused, they cost nothing.

-- The org's time zone as the definitions state it, UTC in a shell without `SET VARIABLE time_zone = 'Asia/Tokyo'`.
CREATE OR REPLACE TEMP MACRO local_zone() AS coalesce(getvariable('time_zone'), 'UTC');

-- The org's day at a moment; and where only the day is known, its last second.
CREATE OR REPLACE TEMP MACRO local_day(moment) AS CAST(moment AT TIME ZONE local_zone() AS DATE);
CREATE OR REPLACE TEMP MACRO end_of_day(known_day) AS
  (CAST(known_day AS TIMESTAMP) + INTERVAL '1 day' - INTERVAL '1 second') AT TIME ZONE local_zone();

-- Whether a value is an Id rather than a name.
CREATE OR REPLACE TEMP MACRO is_id(value) AS
  regexp_full_match(value, '[a-zA-Z0-9]{15}([A-Z0-5]{3})?') AND regexp_matches(value, '[0-9]');

-- Whoever can own a record: a person, or a queue.
CREATE OR REPLACE TEMP VIEW people AS
SELECT u.Id, u.Name AS owner, m.Name AS manager, u.Division AS region, r.Name AS team, p.Name AS profile, NULL AS queue
FROM "User" AS u
LEFT JOIN "User" AS m ON m.Id = u.ManagerId
LEFT JOIN UserRole AS r ON r.Id = u.UserRoleId
LEFT JOIN Profile AS p ON p.Id = u.ProfileId
UNION ALL
SELECT Id, Name, NULL, NULL, NULL, NULL, Name FROM "Group";

-- The four field histories in one form; `root` tells the table of the record that changed.
CREATE OR REPLACE TEMP VIEW field_history AS
SELECT 'Account' AS root, AccountId AS case_id, Id, CreatedDate, CreatedById, Field, OldValue, NewValue
FROM AccountHistory
UNION ALL
SELECT 'Lead', LeadId, Id, CreatedDate, CreatedById, Field, OldValue, NewValue FROM LeadHistory
UNION ALL
SELECT 'Opportunity', OpportunityId, Id, CreatedDate, CreatedById, Field, OldValue, NewValue
FROM OpportunityFieldHistory
UNION ALL
SELECT 'Case', CaseId, Id, CreatedDate, CreatedById, Field, OldValue, NewValue FROM CaseHistory;

-- Tracked fields of the records of one table. Words that begin in lower case are Salesforce's own marks, not fields.
-- A change of a lookup writes two rows, one with names and one with Ids: the names count only where they stand alone.
CREATE OR REPLACE TEMP MACRO field_changes(of_root) AS TABLE
WITH tracked AS (
  SELECT *, is_id(coalesce(NewValue, OldValue)) AS by_id
  FROM field_history
  WHERE root = of_root AND regexp_matches(Field, '^[A-Z]|__c$')
    AND (OldValue IS DISTINCT FROM NewValue OR NewValue IS NULL)  -- long text: changed, values not kept
)
SELECT case_id, Id, CreatedDate, CreatedById, Field, OldValue, NewValue
FROM tracked
WHERE by_id IS TRUE
  OR (case_id, CreatedDate, Field) NOT IN (SELECT (case_id, CreatedDate, Field) FROM tracked WHERE by_id);

-- Changes of owner where queues can own: whichever word tells one, and where several do, the most telling.
CREATE OR REPLACE TEMP MACRO owner_changes(of_root) AS TABLE
WITH
change AS (
  SELECT *, regexp_full_match(coalesce(NewValue, OldValue), '00[5G][a-zA-Z0-9]{12}([A-Z0-5]{3})?') AS by_id
  FROM field_history
  WHERE root = of_root AND OldValue IS DISTINCT FROM NewValue
    AND Field IN ('Owner', 'ownerAssignment', 'ownerAccepted', 'ownerEscalated')
  QUALIFY (by_id OR NOT bool_or(by_id) OVER (PARTITION BY case_id, CreatedDate))
    AND row_number() OVER (PARTITION BY case_id, CreatedDate, OldValue, NewValue ORDER BY Field = 'Owner', Id) = 1
),
queue AS (SELECT DISTINCT Name AS value FROM "Group" WHERE Type = 'Queue' AND Name IS NOT NULL)
SELECT c.case_id,
  CASE WHEN coalesce(starts_with(c.NewValue, '00G'), FALSE) OR n.value IS NOT NULL THEN 'Assign to Queue'
    WHEN c.Field = 'ownerAccepted' OR starts_with(c.OldValue, '00G') OR o.value IS NOT NULL THEN 'Accept from Queue'
    ELSE 'Change Owner' END AS activity,
  c.Id, c.CreatedDate, c.CreatedById, c.Field, c.OldValue, c.NewValue
FROM change AS c
LEFT JOIN queue AS n ON n.value = c.NewValue AND NOT c.by_id
LEFT JOIN queue AS o ON o.value = c.OldValue AND NOT c.by_id;

-- Touches: work that is done. Series masters and invitees' copies are no touches, planned ones lie after the as-of moment.
CREATE OR REPLACE TEMP VIEW touches AS
WITH
done AS (
  SELECT Id, AccountId, WhatId, WhoId, CreatedDate, coalesce(OwnerId, CreatedById) AS actor,
    CASE WHEN TaskSubtype IN ('Call', 'Email') THEN TaskSubtype WHEN Type IN ('Call', 'Email', 'Meeting') THEN Type
      ELSE 'Task' END AS activity,
    -- closed when it was logged, unless its due day came later
    CASE WHEN CompletedDateTime IS NOT NULL THEN CompletedDateTime
      WHEN ActivityDate > local_day(CreatedDate)
        THEN greatest(CreatedDate, least(end_of_day(ActivityDate), coalesce(SystemModstamp, LastModifiedDate)))
      ELSE CreatedDate END AS occurred_at,
    coalesce(CompletedDateTime IS NULL AND ActivityDate > local_day(CreatedDate), FALSE) AS date_only
  FROM Task
  WHERE (CompletedDateTime IS NOT NULL OR coalesce(IsClosed, Status = 'Completed'))
    AND IsRecurrence IS NOT TRUE AND IsDeleted IS NOT TRUE
  UNION ALL
  -- the day of an event that lasts all day is written as midnight UTC: it is the org's day, whatever its zone
  SELECT Id, AccountId, WhatId, WhoId, CreatedDate, coalesce(OwnerId, CreatedById), 'Meeting',
    CASE WHEN IsAllDayEvent OR coalesce(StartDateTime, ActivityDateTime) IS NULL
      THEN end_of_day(coalesce(ActivityDate, CAST(StartDateTime AT TIME ZONE 'UTC' AS DATE)))
      ELSE coalesce(StartDateTime, ActivityDateTime) END,
    coalesce(IsAllDayEvent, FALSE) OR coalesce(StartDateTime, ActivityDateTime) IS NULL
  FROM Event
  WHERE IsRecurrence IS NOT TRUE AND IsChild IS NOT TRUE AND IsDeleted IS NOT TRUE
)
SELECT Id, activity, occurred_at, greatest(occurred_at, CreatedDate) AS recorded_at, actor, date_only, CreatedDate,
  AccountId, WhatId, WhoId
FROM done
WHERE occurred_at IS NOT NULL;

-- Two histories tell how an opportunity changed: field history (old and new value) and snapshots (the record after a
-- save). Field by field, snapshots speak until the field history of that opportunity begins; where it begins with the
-- creation it is whole. A snapshot in the second of the first row is the same save.
CREATE OR REPLACE TEMP MACRO opportunity_told() AS TABLE
SELECT OpportunityId, bool_or(Field IN ('created', 'opportunityCreatedFromLead')) AS whole,
  date_trunc('second', min(CreatedDate) FILTER (Field = 'StageName')) AS stage_since,
  date_trunc('second', min(CreatedDate) FILTER (Field = 'Amount')) AS amount_since,
  date_trunc('second', min(CreatedDate) FILTER (Field = 'CloseDate')) AS close_date_since,
  arg_min(OldValue, (CreatedDate, Id)) FILTER (Field = 'StageName' AND OldValue IS DISTINCT FROM NewValue)
    AS first_stage
FROM OpportunityFieldHistory
WHERE Field IN ('StageName', 'Amount', 'CloseDate', 'created', 'opportunityCreatedFromLead')
GROUP BY OpportunityId;

CREATE OR REPLACE TEMP MACRO opportunity_saves() AS TABLE
SELECT h.Id, h.OpportunityId, h.CreatedDate, h.CreatedById, h.StageName, h.Amount, h.CloseDate,
  row_number() OVER saves = 1 AS is_first,
  lag(h.StageName) OVER saves AS old_stage,
  CASE WHEN row_number() OVER saves = 1 THEN coalesce(h.PrevAmount, h.Amount) ELSE lag(h.Amount) OVER saves END
    AS old_amount,
  CASE WHEN row_number() OVER saves = 1 THEN coalesce(h.PrevCloseDate, h.CloseDate)
    ELSE lag(h.CloseDate) OVER saves END AS old_close_date,
  t.stage_since IS NULL OR (NOT t.whole AND h.CreatedDate < t.stage_since) AS tells_stage,
  t.amount_since IS NULL OR (NOT t.whole AND h.CreatedDate < t.amount_since) AS tells_amount,
  t.close_date_since IS NULL OR (NOT t.whole AND h.CreatedDate < t.close_date_since) AS tells_close_date
FROM OpportunityHistory AS h
LEFT JOIN opportunity_told() AS t ON t.OpportunityId = h.OpportunityId
WINDOW saves AS (PARTITION BY h.OpportunityId ORDER BY h.CreatedDate, h.Id);

-- How opportunities move from stage to stage, are won, lost and reopened. A stage nobody explains counts as open.
CREATE OR REPLACE TEMP MACRO opportunity_moves() AS TABLE
WITH
-- What a stage means: the stated list, else OpportunityStage, and for values in neither the flags on the records.
listed AS (
  SELECT value, position, is_closed, is_won, TRUE AS active FROM stages WHERE root = 'Opportunity'
  UNION ALL
  SELECT ApiName, SortOrder, IsClosed IS TRUE, IsWon IS TRUE, IsActive IS NOT FALSE
  FROM OpportunityStage
  WHERE ApiName IS NOT NULL AND NOT EXISTS (FROM stages WHERE root = 'Opportunity')
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
told AS (FROM opportunity_told()),
snapshot AS (
  SELECT Id, OpportunityId, CreatedDate, CreatedById, old_stage, StageName, is_first
  FROM opportunity_saves()
  WHERE tells_stage
),
change AS (
  SELECT Id, OpportunityId, CreatedDate, CreatedById, OldValue, NewValue
  FROM OpportunityFieldHistory
  WHERE Field = 'StageName' AND NewValue IS NOT NULL AND OldValue IS DISTINCT FROM NewValue
  UNION ALL
  SELECT Id, OpportunityId, CreatedDate, CreatedById, old_stage, StageName FROM snapshot WHERE old_stage <> StageName
),
changed AS (
  SELECT r.OpportunityId AS case_id,
    CASE WHEN k.closing AND n.is_won THEN 'Win Opportunity'
      WHEN k.closing THEN 'Lose Opportunity'
      WHEN k.was_closed AND NOT k.is_closed THEN 'Reopen Opportunity'
      ELSE 'Stage: ' || r.NewValue END AS activity,
    r.CreatedDate AS occurred_at, r.CreatedDate AS recorded_at, r.CreatedById AS actor,
    CASE WHEN k.closing THEN 250 ELSE 200 END AS rank, r.Id AS source_id, r.OldValue AS old_value,
    r.NewValue AS new_value,
    CASE WHEN n.position - o.position > 1 THEN 2 WHEN n.position > o.position THEN 1
      WHEN n.position < o.position THEN -1 END AS direction,
    FALSE AS date_only
  FROM change AS r
  LEFT JOIN stage AS o ON o.value = r.OldValue
  LEFT JOIN stage AS n ON n.value = r.NewValue
  CROSS JOIN LATERAL (SELECT coalesce(o.is_closed, FALSE) AS was_closed, coalesce(n.is_closed, FALSE) AS is_closed,
    -- from one closed stage to another only a turn between won and lost is a new ending
    coalesce(n.is_closed, FALSE) AND NOT (coalesce(o.is_closed, FALSE) AND o.is_won = n.is_won) AS closing) AS k
),
-- Closings that no change tells: created closed, or closed before any history we hold.
unseen AS (
  SELECT o.Id, o.CreatedDate, o.LastStageChangeDate, o.CloseDate,
    coalesce(o.SystemModstamp, o.LastModifiedDate) AS modified, s.Id IS NOT NULL AS by_snapshot, s.CreatedDate AS moment, coalesce(s.Id, o.Id) AS source_id,
    CASE WHEN s.Id IS NULL THEN o.CreatedById ELSE s.CreatedById END AS actor,
    t.stage_since IS NOT NULL AS changes_known,
    CASE WHEN s.Id IS NOT NULL THEN s.StageName WHEN t.stage_since IS NOT NULL THEN t.first_stage ELSE o.StageName END
      AS value,
    -- history that begins at the creation shows the stage the record was created in
    coalesce(t.whole, FALSE) AND EXISTS (FROM told WHERE stage_since IS NOT NULL) AS from_the_start
  FROM Opportunity AS o
  LEFT JOIN told AS t ON t.OpportunityId = o.Id
  LEFT JOIN snapshot AS s ON s.OpportunityId = o.Id AND s.is_first
),
closed_unseen AS (  -- a stage that only the record of today tells is known since its last modification, not earlier
  SELECT u.Id, CASE WHEN s.is_won THEN 'Win Opportunity' ELSE 'Lose Opportunity' END, e.moment,
    CASE WHEN u.from_the_start AND NOT u.by_snapshot AND NOT u.changes_known THEN greatest(e.moment, u.modified)
      ELSE e.moment END,
    u.actor, 250, u.source_id, NULL, u.value, NULL,
    NOT u.by_snapshot AND NOT u.from_the_start AND u.LastStageChangeDate IS NULL
  FROM unseen AS u
  JOIN stage AS s ON s.value = u.value AND s.is_closed
  CROSS JOIN LATERAL (SELECT CASE WHEN u.by_snapshot THEN greatest(u.moment, u.CreatedDate)
    WHEN u.from_the_start THEN u.CreatedDate
    WHEN u.LastStageChangeDate IS NOT NULL THEN u.LastStageChangeDate
    ELSE greatest(u.CreatedDate, least(u.modified, end_of_day(u.CloseDate))) END AS moment) AS e
  WHERE u.by_snapshot OR u.from_the_start OR NOT u.changes_known
)
FROM changed UNION ALL FROM closed_unseen;

-- How opportunities ended, as accounts and leads tell it.
CREATE OR REPLACE TEMP MACRO opportunity_ends() AS TABLE
SELECT case_id AS OpportunityId, activity, occurred_at, recorded_at, actor, source_id, date_only
FROM opportunity_moves()
WHERE activity IN ('Win Opportunity', 'Lose Opportunity');

-- How cases move from status to status, are closed and reopened. A status nobody explains counts as open.
CREATE OR REPLACE TEMP MACRO case_moves() AS TABLE
WITH
-- What a status means: the stated list, else CaseStatus, and for values in neither the flags on the records, or their
-- closing dates where there are no flags.
listed AS (
  SELECT value, position, is_closed FROM stages WHERE root = 'Case'
  UNION ALL
  SELECT ApiName, SortOrder, IsClosed IS TRUE FROM CaseStatus
  WHERE ApiName IS NOT NULL AND NOT EXISTS (FROM stages WHERE root = 'Case')
),
status AS (  -- positions count open statuses only, so that a jump of two is a skip
  SELECT value, is_closed,
    CASE WHEN NOT is_closed
      THEN CAST(dense_rank() OVER (PARTITION BY is_closed ORDER BY position) AS INTEGER) END AS position
  FROM listed
  UNION ALL
  SELECT Status, bool_or(coalesce(IsClosed, ClosedDate IS NOT NULL)), NULL
  FROM "Case"
  WHERE Status IS NOT NULL AND Status NOT IN (SELECT value FROM listed)
  GROUP BY Status
),
status_rows AS (
  SELECT Id, CaseId, CreatedDate, CreatedById, OldValue, NewValue
  FROM CaseHistory
  WHERE Field = 'Status' AND NewValue IS NOT NULL AND OldValue IS DISTINCT FROM NewValue
),
status_changes AS (
  SELECT r.CaseId AS case_id,
    CASE WHEN k.closes AND NOT k.was_closed THEN 'Close Case'
      WHEN k.was_closed AND NOT k.closes THEN 'Reopen Case'
      ELSE 'Status: ' || r.NewValue END AS activity,
    r.CreatedDate AS occurred_at, r.CreatedDate AS recorded_at, r.CreatedById AS actor,
    CASE WHEN k.closes AND NOT k.was_closed THEN 250 ELSE 200 END AS rank, r.Id AS source_id, r.OldValue AS old_value,
    r.NewValue AS new_value,
    CASE WHEN n.position - o.position > 1 THEN 2 WHEN n.position > o.position THEN 1
      WHEN n.position < o.position THEN -1 END AS direction,
    FALSE AS date_only
  FROM status_rows AS r
  LEFT JOIN status AS o ON o.value = r.OldValue
  LEFT JOIN status AS n ON n.value = r.NewValue
  CROSS JOIN LATERAL
    (SELECT coalesce(o.is_closed, FALSE) AS was_closed, coalesce(n.is_closed, FALSE) AS closes) AS k
),
first_status AS (
  SELECT CaseId, arg_min(OldValue, (CreatedDate, Id)) AS value FROM status_rows GROUP BY CaseId
),
creation_row AS (SELECT DISTINCT CaseId FROM CaseHistory WHERE Field = 'created'),
-- Where no change of status is known: the mark that Salesforce leaves at closing, else the record's closing date.
closing_marks AS (
  SELECT CaseId, 'Close Case', CreatedDate, CreatedDate, CreatedById, 250, Id, OldValue, NewValue, NULL, FALSE
  FROM CaseHistory
  WHERE Field = 'closed' AND CaseId NOT IN (SELECT CaseId FROM first_status WHERE CaseId IS NOT NULL)
),
unseen AS (  -- created closed, or closed before any history we hold; the last modification is only an upper bound
  SELECT c.Id, c.CreatedById, c.CreatedDate, c.ClosedDate, coalesce(c.LastModifiedDate, c.SystemModstamp) AS modified,
    f.CaseId IS NOT NULL AS changes_known,
    CASE WHEN f.CaseId IS NULL THEN c.Status ELSE f.value END AS value,
    CASE WHEN f.CaseId IS NULL THEN coalesce(c.IsClosed, nullif(c.ClosedDate IS NOT NULL, FALSE)) END AS flag,
    coalesce(c.IsClosedOnCreate, FALSE)
      OR (r.CaseId IS NOT NULL AND EXISTS (SELECT 1 FROM first_status)) AS from_the_start
  FROM "Case" AS c
  LEFT JOIN first_status AS f ON f.CaseId = c.Id
  LEFT JOIN creation_row AS r ON r.CaseId = c.Id
  WHERE c.Id NOT IN (SELECT CaseId FROM CaseHistory WHERE Field = 'closed' AND CaseId IS NOT NULL)
    OR f.CaseId IS NOT NULL
),
closed_unseen AS (
  SELECT u.Id, 'Close Case', e.moment,
    -- what only the record of today tells is known since its last modification, not earlier
    CASE WHEN u.changes_known OR u.ClosedDate IS NOT NULL THEN e.moment ELSE greatest(e.moment, u.modified) END,
    u.CreatedById, 250, u.Id, NULL, u.value, NULL,
    NOT u.changes_known AND u.ClosedDate IS NULL AND NOT u.from_the_start
  FROM unseen AS u
  LEFT JOIN status AS s ON s.value = u.value
  CROSS JOIN LATERAL (SELECT CASE
    WHEN u.changes_known THEN u.CreatedDate
    WHEN u.ClosedDate IS NOT NULL THEN u.ClosedDate
    WHEN u.from_the_start THEN u.CreatedDate
    ELSE greatest(u.CreatedDate, u.modified) END AS moment) AS e
  WHERE coalesce(u.flag, s.is_closed, FALSE) AND (u.from_the_start OR NOT u.changes_known)
)
FROM status_changes UNION ALL FROM closing_marks UNION ALL FROM closed_unseen;
