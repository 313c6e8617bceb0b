-- Account management: one case per account. Runs as it stands wherever the Salesforce tables are visible.
-- An account never ends: its case gathers what happens to it and below it (contacts, leads, opportunities, cases).

CREATE OR REPLACE TEMP VIEW cases AS
WITH holder AS (
  SELECT u.Id, u.Name AS owner, m.Name AS manager, u.Division AS region, r.Name AS team, p.Name AS profile
  FROM "User" AS u
  LEFT JOIN "User" AS m ON m.Id = u.ManagerId
  LEFT JOIN UserRole AS r ON r.Id = u.UserRoleId
  LEFT JOIN Profile AS p ON p.Id = u.ProfileId
  UNION ALL
  SELECT Id, Name, NULL, NULL, NULL, NULL FROM "Group"
)
SELECT
  a.Id AS case_id,
  a.CreatedDate AS created_at,
  coalesce(a.CreatedDate < (SELECT min(CreatedDate) FROM AccountHistory), FALSE)
    AND a.Id NOT IN (SELECT AccountId FROM AccountHistory
      WHERE Field IN ('created', 'accountCreatedFromLead') AND AccountId IS NOT NULL) AS truncated,
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
LEFT JOIN holder AS h ON h.Id = a.OwnerId
LEFT JOIN RecordType AS t ON t.Id = a.RecordTypeId
WHERE a.IsDeleted IS NOT TRUE;

CREATE OR REPLACE TEMP VIEW events AS
WITH
created AS (
  SELECT Id AS case_id, 'Create Account' AS activity, CreatedDate AS occurred_at, CreatedDate AS recorded_at,
    CreatedById AS actor, 0 AS rank, Id AS source_id, NULL AS old_value, NULL AS new_value, NULL AS direction,
    FALSE AS date_only
  FROM Account
),
-- Tracked fields. Words that begin in lower case are Salesforce's own marks, not fields.
-- A change of a lookup writes two rows, one with names and one with Ids: the names count only where they stand alone.
field_rows AS (
  SELECT Id, AccountId, CreatedDate, CreatedById, Field, OldValue, NewValue,
    CASE WHEN Field IN ('Owner', 'ownerAssignment', 'ownerAccepted') THEN 'Change Owner' ELSE 'Change: ' || Field END
      AS activity,
    regexp_full_match(coalesce(NewValue, OldValue), '[a-zA-Z0-9]{15}([A-Z0-5]{3})?')
      AND regexp_matches(coalesce(NewValue, OldValue), '[0-9]') AS is_id
  FROM AccountHistory
  WHERE (regexp_matches(Field, '^[A-Z]|__c$') AND (OldValue IS DISTINCT FROM NewValue OR NewValue IS NULL))
    OR (Field IN ('ownerAssignment', 'ownerAccepted') AND OldValue IS DISTINCT FROM NewValue)
),
field_changes AS (
  SELECT AccountId, activity, CreatedDate, CreatedDate, CreatedById,
    CASE WHEN activity = 'Change Owner' THEN 100 ELSE 150 END, Id, OldValue, NewValue, NULL, FALSE
  FROM field_rows
  QUALIFY (is_id IS TRUE OR NOT coalesce(bool_or(is_id) OVER (PARTITION BY AccountId, CreatedDate, activity), FALSE))
    AND (activity <> 'Change Owner'
      OR row_number() OVER (PARTITION BY AccountId, CreatedDate, OldValue, NewValue ORDER BY Field = 'Owner', Id) = 1)
),
contacts AS (
  SELECT AccountId, 'Add Contact', CreatedDate, CreatedDate, CreatedById, 50, Id, NULL, Name, NULL, FALSE
  FROM Contact
  -- the contact behind a person account is the account itself
  WHERE AccountId IS NOT NULL AND IsPersonAccount IS NOT TRUE AND IsDeleted IS NOT TRUE
),
-- A lead converted into the account, new or existing. The moment is in the lead's history; else only the day is known.
lead_conversions AS (
  SELECT l.ConvertedAccountId, 'Convert Lead', e.moment, e.moment, coalesce(h.actor, l.LastModifiedById), 40,
    coalesce(h.source_id, l.Id), NULL, l.Name, NULL, h.moment IS NULL
  FROM Lead AS l
  LEFT JOIN (
    SELECT LeadId, min(CreatedDate) AS moment, arg_min(Id, (CreatedDate, Id)) AS source_id,
      arg_min(CreatedById, (CreatedDate, Id)) AS actor
    FROM LeadHistory WHERE Field = 'leadConverted' GROUP BY LeadId
  ) AS h ON h.LeadId = l.Id
  CROSS JOIN LATERAL (SELECT coalesce(h.moment, greatest(l.CreatedDate, least(
    CAST(l.ConvertedDate AS TIMESTAMP) AT TIME ZONE 'UTC' + INTERVAL '1 day' - INTERVAL '1 second',
    coalesce(l.SystemModstamp, l.LastModifiedDate)))) AS moment) AS e
  WHERE l.ConvertedAccountId IS NOT NULL AND l.IsDeleted IS NOT TRUE
    AND (h.moment IS NOT NULL OR l.ConvertedDate IS NOT NULL)
),
-- How opportunities ended: field history, where it is silent the snapshots, where both are the record itself.
opportunity_stage AS (
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
  JOIN opportunity_stage AS s ON s.value = h.StageName
  LEFT JOIN told AS t ON t.OpportunityId = h.OpportunityId
  WHERE t.stage IS NOT TRUE
  WINDOW saves AS (PARTITION BY h.OpportunityId ORDER BY h.CreatedDate, h.Id)
),
opportunity_end AS (
  SELECT h.OpportunityId, h.CreatedDate AS moment, h.CreatedById AS actor, h.Id AS source_id, n.won, FALSE AS date_only,
    h.CreatedDate AS known
  FROM OpportunityFieldHistory AS h
  JOIN opportunity_stage AS n ON n.value = h.NewValue AND n.closed
  LEFT JOIN opportunity_stage AS o ON o.value = h.OldValue
  WHERE h.Field = 'StageName' AND NOT (coalesce(o.closed, FALSE) AND o.won = n.won)
  UNION ALL
  SELECT OpportunityId, CreatedDate, CreatedById, Id, won, FALSE, CreatedDate
  FROM snapshot
  WHERE closed AND NOT (coalesce(was_closed, FALSE) AND was_won = won)
  UNION ALL
  SELECT o.Id, e.moment, o.CreatedById, o.Id, s.won, NOT k.from_the_start AND o.LastStageChangeDate IS NULL,
    CASE WHEN k.from_the_start THEN greatest(e.moment, k.modified) ELSE e.moment END
  FROM Opportunity AS o
  JOIN opportunity_stage AS s ON s.value = o.StageName AND s.closed
  LEFT JOIN told AS t ON t.OpportunityId = o.Id
  CROSS JOIN LATERAL (SELECT coalesce(t.creation, FALSE) AND EXISTS (SELECT 1 FROM told WHERE stage) AS from_the_start,
    coalesce(o.SystemModstamp, o.LastModifiedDate) AS modified) AS k
  CROSS JOIN LATERAL (SELECT CASE WHEN k.from_the_start THEN o.CreatedDate
    WHEN o.LastStageChangeDate IS NOT NULL THEN o.LastStageChangeDate
    ELSE greatest(o.CreatedDate, least(k.modified,
      CAST(o.CloseDate AS TIMESTAMP) AT TIME ZONE 'UTC' + INTERVAL '1 day' - INTERVAL '1 second')) END AS moment) AS e
  WHERE t.stage IS NOT TRUE AND o.Id NOT IN (SELECT OpportunityId FROM snapshot WHERE OpportunityId IS NOT NULL)
),
opportunities AS (
  SELECT AccountId, 'Create Opportunity', CreatedDate, CreatedDate, CreatedById, 60, Id, NULL, Name, NULL, FALSE
  FROM Opportunity
  WHERE AccountId IS NOT NULL AND IsDeleted IS NOT TRUE
  UNION ALL
  SELECT o.AccountId, CASE WHEN e.won THEN 'Win Opportunity' ELSE 'Lose Opportunity' END, e.moment, e.known, e.actor, 200,
    e.source_id, NULL, o.Name, NULL, e.date_only
  FROM opportunity_end AS e
  JOIN Opportunity AS o ON o.Id = e.OpportunityId
  WHERE o.AccountId IS NOT NULL AND o.IsDeleted IS NOT TRUE
),
case_status AS (
  SELECT ApiName AS value, IsClosed IS TRUE AS closed FROM CaseStatus WHERE ApiName IS NOT NULL
  UNION ALL
  SELECT Status, bool_or(IsClosed IS TRUE) FROM "Case"
  WHERE Status IS NOT NULL AND Status NOT IN (SELECT ApiName FROM CaseStatus WHERE ApiName IS NOT NULL)
  GROUP BY Status
),
case_turn AS (  -- closings and reopenings; without a change of status on record, the closing date of the case
  SELECT h.CaseId, CASE WHEN n.closed THEN 'Close Case' ELSE 'Reopen Case' END AS activity, h.CreatedDate AS moment,
    h.CreatedById AS actor, h.Id AS source_id
  FROM CaseHistory AS h
  JOIN case_status AS n ON n.value = h.NewValue
  LEFT JOIN case_status AS o ON o.value = h.OldValue
  WHERE h.Field = 'Status' AND coalesce(o.closed, FALSE) <> n.closed
  UNION ALL
  SELECT Id, 'Close Case', ClosedDate, NULL, Id
  FROM "Case"
  WHERE ClosedDate IS NOT NULL AND Id NOT IN (SELECT CaseId FROM CaseHistory WHERE Field = 'Status' AND CaseId IS NOT NULL)
),
cases_below AS (
  SELECT AccountId, 'Open Case', CreatedDate, CreatedDate, CreatedById, 60, Id, NULL, Subject, NULL, FALSE
  FROM "Case"
  WHERE AccountId IS NOT NULL AND IsDeleted IS NOT TRUE
  UNION ALL
  SELECT c.AccountId, t.activity, t.moment, t.moment, t.actor, 200, t.source_id, NULL, c.Subject, NULL, FALSE
  FROM case_turn AS t
  JOIN "Case" AS c ON c.Id = t.CaseId
  WHERE c.AccountId IS NOT NULL AND c.IsDeleted IS NOT TRUE
),
-- Touches: work that is done. Series masters and invitees' copies are no touches, planned ones lie after the as-of moment.
touch AS (
  SELECT Id, AccountId, WhatId, WhoId, CreatedDate, coalesce(OwnerId, CreatedById) AS actor,
    CASE WHEN TaskSubtype IN ('Call', 'Email') THEN TaskSubtype WHEN Type IN ('Call', 'Email', 'Meeting') THEN Type
      ELSE 'Task' END AS activity,
    -- closed when it was logged, unless its due day came later
    CASE WHEN CompletedDateTime IS NOT NULL THEN CompletedDateTime
      WHEN ActivityDate > CAST(CreatedDate AT TIME ZONE 'UTC' AS DATE) THEN greatest(CreatedDate, least(
        CAST(ActivityDate AS TIMESTAMP) AT TIME ZONE 'UTC' + INTERVAL '1 day' - INTERVAL '1 second',
        coalesce(SystemModstamp, LastModifiedDate)))
      ELSE CreatedDate END AS moment,
    coalesce(CompletedDateTime IS NULL AND ActivityDate > CAST(CreatedDate AT TIME ZONE 'UTC' AS DATE), FALSE)
      AS date_only
  FROM Task
  WHERE (CompletedDateTime IS NOT NULL OR coalesce(IsClosed, Status = 'Completed'))
    AND IsRecurrence IS NOT TRUE AND IsDeleted IS NOT TRUE
  UNION ALL
  SELECT Id, AccountId, WhatId, WhoId, CreatedDate, coalesce(OwnerId, CreatedById), 'Meeting',
    CASE WHEN IsAllDayEvent OR coalesce(StartDateTime, ActivityDateTime) IS NULL
      THEN CAST(coalesce(ActivityDate, CAST(StartDateTime AT TIME ZONE 'UTC' AS DATE)) AS TIMESTAMP) AT TIME ZONE 'UTC'
        + INTERVAL '1 day' - INTERVAL '1 second'
      ELSE coalesce(StartDateTime, ActivityDateTime) END,
    coalesce(IsAllDayEvent, FALSE) OR coalesce(StartDateTime, ActivityDateTime) IS NULL
  FROM Event
  WHERE IsRecurrence IS NOT TRUE AND IsChild IS NOT TRUE AND IsDeleted IS NOT TRUE
),
touched AS (  -- Salesforce derives AccountId from what an activity is about; where it is missing we do the same
  SELECT a.Id, t.activity, t.moment, greatest(t.moment, t.CreatedDate), t.actor, 120, t.Id, NULL, NULL, NULL, t.date_only
  FROM touch AS t
  LEFT JOIN Opportunity AS o ON o.Id = t.WhatId
  LEFT JOIN Contact AS k ON k.Id = t.WhoId
  -- what conversion moved here from a lead, before the account was, was done for the lead
  JOIN Account AS a ON a.Id = coalesce(t.AccountId, o.AccountId,
      CASE WHEN starts_with(t.WhatId, '001') THEN t.WhatId END, k.AccountId)
    AND greatest(t.moment, t.CreatedDate) >= a.CreatedDate
  WHERE t.moment IS NOT NULL
)
SELECT case_id, activity, occurred_at, recorded_at, actor, CAST(rank AS UTINYINT) AS rank, source_id,
  CAST(old_value AS VARCHAR) AS old_value, CAST(new_value AS VARCHAR) AS new_value,
  CAST(direction AS TINYINT) AS direction, date_only
FROM (
  FROM created UNION ALL FROM field_changes UNION ALL FROM contacts UNION ALL FROM lead_conversions
  UNION ALL FROM opportunities UNION ALL FROM cases_below UNION ALL FROM touched
) AS found;
