-- Touches: work with a customer that is done as of the moment. Archived ones count like all others.
-- Every row of Task and Event is a touch or stands in `no_touches` with the reason why it is none.
--
-- Calls tell their direction in CallType, e-mails in the message that the task logs (EmailMessage.ActivityId); a bulk
-- e-mail (ListEmail) goes out. Where nothing tells, the direction is unknown: 'Call', 'Email'. What an automated user did
-- is no human touch, whatever it was; what came in is the customer's. IsRecurrence marks the master of a series;
-- IsRecurrence2 stands on every meeting of a series, and each was one.

CREATE OR REPLACE TEMP TABLE activities AS
WITH
logged_email AS (
  SELECT ActivityId, CASE WHEN bool_and(Incoming IS TRUE) THEN 'Inbound Email'
      WHEN NOT bool_or(Incoming IS TRUE) THEN 'Outbound Email' ELSE 'Email' END AS activity
  FROM EmailMessage
  WHERE ActivityId IS NOT NULL AND IsDeleted IS NOT TRUE
  GROUP BY ActivityId
),
work AS (
  SELECT 'Task' AS source_table, t.Id, t.AccountId, t.WhatId, t.WhoId, t.CreatedDate,
    coalesce(t.OwnerId, t.CreatedById) AS actor,
    CASE WHEN e.activity IS NOT NULL THEN e.activity
      WHEN t.TaskSubtype = 'ListEmail' THEN 'Outbound Email'
      WHEN t.TaskSubtype = 'Email' THEN 'Email'
      WHEN t.CallType IN ('Inbound', 'Outbound', 'Internal') THEN t.CallType || ' Call'
      WHEN t.TaskSubtype = 'Call' THEN 'Call'
      WHEN t.Type IN ('Call', 'Email', 'Meeting') THEN t.Type
      ELSE 'Task' END AS activity,
    -- closed when it was logged, unless its due day came later
    CASE WHEN t.CompletedDateTime IS NOT NULL THEN t.CompletedDateTime
      WHEN t.ActivityDate > local_day(t.CreatedDate)
        THEN greatest(t.CreatedDate, least(end_of_day(t.ActivityDate), coalesce(t.SystemModstamp, t.LastModifiedDate)))
      ELSE t.CreatedDate END AS occurred_at,
    coalesce(t.CompletedDateTime IS NULL AND t.ActivityDate > local_day(t.CreatedDate), FALSE) AS date_only,
    CASE WHEN t.IsDeleted THEN 'deleted row'
      WHEN t.IsRecurrence THEN 'master of a series'
      WHEN t.CompletedDateTime IS NULL AND coalesce(t.IsClosed, t.Status = 'Completed') IS NOT TRUE
        THEN 'planned, not done' END AS reason
  FROM Task AS t
  LEFT JOIN logged_email AS e ON e.ActivityId = t.Id
  UNION ALL
  -- the day of an event that lasts all day is written as midnight UTC: it is the org's day, whatever its zone
  SELECT 'Event', Id, AccountId, WhatId, WhoId, CreatedDate, coalesce(OwnerId, CreatedById), 'Meeting',
    CASE WHEN IsAllDayEvent OR coalesce(StartDateTime, ActivityDateTime) IS NULL
      THEN end_of_day(coalesce(ActivityDate, CAST(StartDateTime AT TIME ZONE 'UTC' AS DATE)))
      ELSE coalesce(StartDateTime, ActivityDateTime) END,
    coalesce(IsAllDayEvent, FALSE) OR coalesce(StartDateTime, ActivityDateTime) IS NULL,
    CASE WHEN IsDeleted THEN 'deleted row'
      WHEN IsRecurrence THEN 'master of a series'
      WHEN IsChild THEN 'invitee''s copy' END
  FROM Event
),
judged AS (
  SELECT w.* EXCLUDE (activity, reason), greatest(w.occurred_at, w.CreatedDate) AS recorded_at,
    CASE WHEN p.kind = 'automated' AND NOT starts_with(w.activity, 'Inbound') THEN 'Automated Touch'
      ELSE w.activity END AS activity,
    CASE WHEN w.reason IS NOT NULL THEN w.reason
      WHEN w.occurred_at IS NULL THEN 'no time'
      WHEN greatest(w.occurred_at, w.CreatedDate) > as_of() THEN 'planned, not done' END AS reason
  FROM work AS w
  LEFT JOIN people AS p ON p.Id = w.actor
),
last_change AS (  -- as it is today: whether a later conversion moved it
  SELECT 'Task' AS source_table, Id, coalesce(SystemModstamp, LastModifiedDate) AS modified FROM as_of.Task
  UNION ALL
  SELECT 'Event', Id, coalesce(SystemModstamp, LastModifiedDate) FROM as_of.Event
),
moved AS (  -- a conversion moves a lead's activities to the contact: those done before it were done for the lead
  SELECT j.source_table, j.Id, arg_min({'lead_id': c.lead_id, 'moment': c.moment}, (c.moment, c.lead_id)) AS lead
  FROM judged AS j
  JOIN conversions AS c ON c.contact_id = j.WhoId AND j.CreatedDate >= c.lead_created AND j.recorded_at <= c.moment
  JOIN last_change AS n ON n.source_table = j.source_table AND n.Id = j.Id AND coalesce(n.modified >= c.earliest, TRUE)
  WHERE j.reason IS NULL
  GROUP BY j.source_table, j.Id
)
SELECT j.*, m.lead.lead_id AS moved_from, m.lead.moment AS moved_at
FROM judged AS j
LEFT JOIN moved AS m ON m.source_table = j.source_table AND m.Id = j.Id;

-- `WhoId` is who it is about today; before `moved_at` it was the lead `moved_from`.
CREATE OR REPLACE TEMP VIEW touches AS
SELECT Id, source_table, activity, occurred_at, recorded_at, actor, date_only, CreatedDate, AccountId, WhatId, WhoId,
  moved_from, moved_at
FROM activities
WHERE reason IS NULL;

CREATE OR REPLACE TEMP VIEW no_touches AS
SELECT source_table, Id AS source_id, reason FROM activities WHERE reason IS NOT NULL;

-- E-mails where they tell nothing themselves.
CREATE OR REPLACE TEMP VIEW mails_aside AS
SELECT 'EmailMessage' AS source_table, Id AS source_id, CASE WHEN ActivityId IS NULL THEN 'logged by no task'
    WHEN IsDeleted THEN 'deleted row' ELSE 'tells the direction of the task that logs it' END AS reason
FROM EmailMessage;
