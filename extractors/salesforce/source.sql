-- What the processes of this CRM share. Runs before each of them: in a DuckDB shell `.read source.sql`, then
-- `.read lead.sql`. Views are what every process reads, macros what some do: unused, they cost nothing.

-- Where only the day is known, its last second.
CREATE OR REPLACE TEMP MACRO end_of_day(known_day) AS
  CAST(known_day AS TIMESTAMP) AT TIME ZONE 'UTC' + INTERVAL '1 day' - INTERVAL '1 second';

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
      WHEN ActivityDate > CAST(CreatedDate AT TIME ZONE 'UTC' AS DATE)
        THEN greatest(CreatedDate, least(end_of_day(ActivityDate), coalesce(SystemModstamp, LastModifiedDate)))
      ELSE CreatedDate END AS occurred_at,
    coalesce(CompletedDateTime IS NULL AND ActivityDate > CAST(CreatedDate AT TIME ZONE 'UTC' AS DATE), FALSE)
      AS date_only
  FROM Task
  WHERE (CompletedDateTime IS NOT NULL OR coalesce(IsClosed, Status = 'Completed'))
    AND IsRecurrence IS NOT TRUE AND IsDeleted IS NOT TRUE
  UNION ALL
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

-- How opportunities ended, as accounts and leads tell it: field history, where it is silent the snapshots, where both
-- are the record itself.
CREATE OR REPLACE TEMP MACRO opportunity_ends() AS TABLE
WITH
stage AS (
  SELECT ApiName AS value, IsClosed IS TRUE AS closed, IsWon IS TRUE AS won FROM OpportunityStage WHERE ApiName IS NOT NULL
  UNION ALL
  SELECT StageName, bool_or(IsClosed IS TRUE), bool_or(IsWon IS TRUE) FROM Opportunity
  WHERE StageName IS NOT NULL AND StageName NOT IN (SELECT ApiName FROM OpportunityStage WHERE ApiName IS NOT NULL)
  GROUP BY StageName
),
told AS (
  SELECT OpportunityId, bool_or(Field = 'StageName') AS stage, bool_or(Field <> 'StageName') AS creation
  FROM OpportunityFieldHistory
  WHERE Field IN ('StageName', 'created', 'opportunityCreatedFromLead')
  GROUP BY OpportunityId
),
snapshot AS (
  SELECT h.Id, h.OpportunityId, h.CreatedDate, h.CreatedById, s.closed, s.won,
    lag(s.closed) OVER saves AS was_closed, lag(s.won) OVER saves AS was_won
  FROM OpportunityHistory AS h
  JOIN stage AS s ON s.value = h.StageName
  LEFT JOIN told AS t ON t.OpportunityId = h.OpportunityId
  WHERE t.stage IS NOT TRUE
  WINDOW saves AS (PARTITION BY h.OpportunityId ORDER BY h.CreatedDate, h.Id)
),
ending AS (
  SELECT h.OpportunityId, h.CreatedDate AS occurred_at, h.CreatedDate AS recorded_at, h.CreatedById AS actor,
    h.Id AS source_id, n.won, FALSE AS date_only
  FROM OpportunityFieldHistory AS h
  JOIN stage AS n ON n.value = h.NewValue AND n.closed
  LEFT JOIN stage AS o ON o.value = h.OldValue
  WHERE h.Field = 'StageName' AND NOT (coalesce(o.closed, FALSE) AND o.won = n.won)
  UNION ALL
  SELECT OpportunityId, CreatedDate, CreatedDate, CreatedById, Id, won, FALSE
  FROM snapshot
  WHERE closed AND NOT (coalesce(was_closed, FALSE) AND was_won = won)
  UNION ALL
  SELECT o.Id, e.moment, CASE WHEN k.from_the_start THEN greatest(e.moment, k.modified) ELSE e.moment END,
    o.CreatedById, o.Id, s.won, NOT k.from_the_start AND o.LastStageChangeDate IS NULL
  FROM Opportunity AS o
  JOIN stage AS s ON s.value = o.StageName AND s.closed
  LEFT JOIN told AS t ON t.OpportunityId = o.Id
  CROSS JOIN LATERAL (SELECT coalesce(t.creation, FALSE) AND EXISTS (SELECT 1 FROM told WHERE stage) AS from_the_start,
    coalesce(o.SystemModstamp, o.LastModifiedDate) AS modified) AS k
  CROSS JOIN LATERAL (SELECT CASE WHEN k.from_the_start THEN o.CreatedDate
    WHEN o.LastStageChangeDate IS NOT NULL THEN o.LastStageChangeDate
    ELSE greatest(o.CreatedDate, least(k.modified, end_of_day(o.CloseDate))) END AS moment) AS e
  WHERE t.stage IS NOT TRUE AND o.Id NOT IN (SELECT OpportunityId FROM snapshot WHERE OpportunityId IS NOT NULL)
)
SELECT OpportunityId, CASE WHEN won THEN 'Win Opportunity' ELSE 'Lose Opportunity' END AS activity, occurred_at,
  recorded_at, actor, source_id, date_only
FROM ending;
