-- Account management: one case per account. Runs after source.sql, wherever the Salesforce tables are visible.
-- An account never ends: its case gathers what happens to it and below it (contacts, leads, opportunities, cases).

CREATE OR REPLACE TEMP VIEW cases AS
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
LEFT JOIN people AS h ON h.Id = a.OwnerId
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
-- A change of owner, told by one word or several, by names beside Ids or alone. An account has no queue.
owner_rows AS (
  SELECT Id, AccountId, CreatedDate, CreatedById, Field, OldValue, NewValue,
    coalesce(is_id(coalesce(NewValue, OldValue)), FALSE) AS by_id
  FROM AccountHistory
  WHERE Field IN ('Owner', 'ownerAssignment', 'ownerAccepted')
    AND (OldValue IS DISTINCT FROM NewValue OR (Field = 'Owner' AND NewValue IS NULL))
),
owners AS (
  SELECT AccountId, 'Change Owner', CreatedDate, CreatedDate, CreatedById, 100, Id, OldValue, NewValue, NULL, FALSE
  FROM owner_rows
  QUALIFY (by_id OR NOT bool_or(by_id) OVER (PARTITION BY AccountId, CreatedDate))
    AND row_number() OVER (PARTITION BY AccountId, CreatedDate, OldValue, NewValue ORDER BY Field = 'Owner', Id) = 1
),
other_changes AS (
  SELECT case_id, 'Change: ' || Field, CreatedDate, CreatedDate, CreatedById, 150, Id, OldValue, NewValue, NULL, FALSE
  FROM field_changes('Account')
  WHERE Field <> 'Owner'
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
  CROSS JOIN LATERAL (SELECT coalesce(h.moment, greatest(l.CreatedDate, least(end_of_day(l.ConvertedDate),
    coalesce(l.SystemModstamp, l.LastModifiedDate)))) AS moment) AS e
  WHERE l.ConvertedAccountId IS NOT NULL AND l.IsDeleted IS NOT TRUE
    AND (h.moment IS NOT NULL OR l.ConvertedDate IS NOT NULL)
),
opportunities AS (
  SELECT AccountId, 'Create Opportunity', CreatedDate, CreatedDate, CreatedById, 60, Id, NULL, Name, NULL, FALSE
  FROM Opportunity
  WHERE AccountId IS NOT NULL AND IsDeleted IS NOT TRUE
  UNION ALL
  SELECT o.AccountId, e.activity, e.occurred_at, e.recorded_at, e.actor, 200, e.source_id, NULL, o.Name, NULL, e.date_only
  FROM opportunity_ends() AS e
  JOIN Opportunity AS o ON o.Id = e.OpportunityId
  WHERE o.AccountId IS NOT NULL AND o.IsDeleted IS NOT TRUE
),
cases_below AS (
  SELECT AccountId, 'Open Case', CreatedDate, CreatedDate, CreatedById, 60, Id, NULL, Subject, NULL, FALSE
  FROM "Case"
  WHERE AccountId IS NOT NULL AND IsDeleted IS NOT TRUE
  UNION ALL
  SELECT c.AccountId, m.activity, m.occurred_at, m.recorded_at, m.actor, 200, m.source_id, NULL, c.Subject, NULL,
    m.date_only
  FROM case_moves() AS m
  JOIN "Case" AS c ON c.Id = m.case_id
  WHERE m.activity IN ('Close Case', 'Reopen Case') AND c.AccountId IS NOT NULL AND c.IsDeleted IS NOT TRUE
),
touched AS (  -- Salesforce derives AccountId from what an activity is about; where it is missing we do the same
  SELECT a.Id, t.activity, t.occurred_at, t.recorded_at, t.actor, 120, t.Id, NULL, NULL, NULL, t.date_only
  FROM touches AS t
  LEFT JOIN Opportunity AS o ON o.Id = t.WhatId
  LEFT JOIN Contact AS k ON k.Id = t.WhoId
  -- what conversion moved here from a lead, before the account was, was done for the lead
  JOIN Account AS a ON a.Id = coalesce(t.AccountId, o.AccountId,
      CASE WHEN starts_with(t.WhatId, '001') THEN t.WhatId END, k.AccountId)
    AND t.recorded_at >= a.CreatedDate
)
SELECT case_id, activity, occurred_at, recorded_at, actor, CAST(rank AS UTINYINT) AS rank, source_id,
  CAST(old_value AS VARCHAR) AS old_value, CAST(new_value AS VARCHAR) AS new_value,
  CAST(direction AS TINYINT) AS direction, date_only
FROM (
  FROM created UNION ALL FROM owners UNION ALL FROM other_changes UNION ALL FROM contacts UNION ALL FROM lead_conversions
  UNION ALL FROM opportunities UNION ALL FROM cases_below UNION ALL FROM touched
) AS found;
