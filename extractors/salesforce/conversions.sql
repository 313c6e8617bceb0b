-- Conversions of leads: when each was converted, and which records that made. Runs once, after history.sql, on everything
-- that was ever recorded: what a conversion moved off a lead later was still the lead's before.

-- The records that a lead became, where they can have been made by that. Accounts and opportunities tell it in their
-- history (`certain`); one whose history begins with 'created' was made by hand. The contact behind a person account is
-- that account (`is_shadow`).
CREATE OR REPLACE TEMP TABLE conversion_links AS
WITH
born AS (
  SELECT record_id, bool_or(field <> 'created') AS from_lead
  FROM all_changes
  WHERE field IN ('created', 'accountCreatedFromLead', 'opportunityCreatedFromLead')
  GROUP BY record_id
),
linked AS (
  SELECT l.Id AS lead_id, 1 AS place, 'Opportunity' AS source_table, o.Id, o.CreatedDate, o.CreatedById, o.Name,
    FALSE AS is_shadow, l.CreatedDate AS lead_created, l.ConvertedDate
  FROM Lead AS l JOIN Opportunity AS o ON o.Id = l.ConvertedOpportunityId
  UNION ALL
  SELECT l.Id, 2, 'Contact', k.Id, k.CreatedDate, k.CreatedById, k.Name,
    k.IsPersonAccount IS TRUE OR k.Id IN (SELECT PersonContactId FROM Account WHERE PersonContactId IS NOT NULL),
    l.CreatedDate, l.ConvertedDate
  FROM Lead AS l JOIN Contact AS k ON k.Id = l.ConvertedContactId
  UNION ALL
  SELECT l.Id, 3, 'Account', a.Id, a.CreatedDate, a.CreatedById, a.Name, FALSE, l.CreatedDate, l.ConvertedDate
  FROM Lead AS l JOIN Account AS a ON a.Id = l.ConvertedAccountId
)
SELECT k.* EXCLUDE (lead_created), coalesce(b.from_lead, FALSE) AS certain
FROM linked AS k
LEFT JOIN born AS b ON b.record_id = k.Id
WHERE k.CreatedDate >= k.lead_created AND b.from_lead IS DISTINCT FROM FALSE;

-- `moment`: the mark 'leadConverted'; else the save that gave the lead its converted status; else the creation of a
-- record that conversion made; else the end of ConvertedDate, though not after the lead's last change nor after the CRM's
-- clock; else that last change, the latest it can have been. `date_only` for the last two, and `earliest` bounds them from
-- below.
CREATE OR REPLACE TEMP TABLE conversions AS
WITH
record AS (  -- where nothing says whether a lead is converted, what it became does
  SELECT *, coalesce(IsConverted, ConvertedDate IS NOT NULL
    OR coalesce(ConvertedAccountId, ConvertedContactId, ConvertedOpportunityId) IS NOT NULL) AS is_converted
  FROM Lead
),
mark AS (
  SELECT record_id AS lead_id,
    arg_min({'moment': moment, 'actor': actor, 'source_id': source_id}, (moment, seq, source_id)) AS told
  FROM all_changes
  WHERE root = 'Lead' AND field = 'leadConverted'
  GROUP BY record_id
),
status AS (  -- a converted lead is read-only: its last change to the status it has is the conversion
  SELECT l.Id AS lead_id,
    arg_max({'moment': c.moment, 'actor': c.actor, 'source_id': c.source_id}, (c.moment, c.seq, c.source_id)) AS told
  FROM all_changes AS c
  JOIN record AS l ON l.Id = c.record_id
  WHERE c.root = 'Lead' AND c.field = 'Status' AND l.is_converted AND c.new_value = l.Status
    AND coalesce(abs(date_diff('day', l.ConvertedDate, local_day(c.moment))) <= 1, TRUE)
  GROUP BY l.Id
),
dated AS (  -- ConvertedDate is the day of a link; without it, a link made by conversion or two of one second show when
  SELECT * FROM conversion_links
  QUALIFY CASE WHEN ConvertedDate IS NULL
      THEN certain OR count(*) OVER (PARTITION BY lead_id, date_trunc('second', CreatedDate)) > 1
    ELSE abs(date_diff('day', ConvertedDate, local_day(CreatedDate))) <= 1 END
),
made AS (
  SELECT lead_id,
    arg_min({'moment': CreatedDate, 'actor': CreatedById, 'source_id': NULL::VARCHAR}, (NOT certain, place)) AS told
  FROM dated
  GROUP BY lead_id
),
last_change AS (SELECT record_id AS lead_id, max(moment) AS moment FROM all_changes WHERE root = 'Lead' GROUP BY record_id),
found AS (
  SELECT l.*, coalesce(m.told, s.told, d.told) AS told, coalesce(c.moment, l.CreatedDate) AS changed,
    end_of_day(l.ConvertedDate) AS day_end
  FROM record AS l
  LEFT JOIN mark AS m ON m.lead_id = l.Id
  LEFT JOIN status AS s ON s.lead_id = l.Id
  LEFT JOIN made AS d ON d.lead_id = l.Id
  LEFT JOIN last_change AS c ON c.lead_id = l.Id
  WHERE l.is_converted OR m.told IS NOT NULL
)
SELECT Id AS lead_id, CreatedDate AS lead_created, Name AS lead_name, Status AS lead_status,
  ConvertedAccountId AS account_id, ConvertedContactId AS contact_id, ConvertedOpportunityId AS opportunity_id,
  CASE WHEN told IS NOT NULL THEN told.moment
    WHEN day_end IS NOT NULL
      THEN greatest(CreatedDate, least(day_end, coalesce(SystemModstamp, LastModifiedDate), getvariable('clock')))
    ELSE greatest(CreatedDate, coalesce(LastModifiedDate, SystemModstamp, changed)) END AS moment,
  CASE WHEN told IS NOT NULL THEN told.moment - INTERVAL '1 minute'
    ELSE greatest(CreatedDate, day_end - INTERVAL '1 day') END AS earliest,
  told IS NULL AS date_only, told.actor AS actor,
  CASE WHEN told.source_id IS NULL THEN 'Lead' ELSE 'LeadHistory' END AS source_table,
  coalesce(told.source_id, Id) AS source_id
FROM found;
