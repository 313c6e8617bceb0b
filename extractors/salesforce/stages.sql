-- What stages and statuses mean: which are open, closed and won, and in which order the open ones stand.
-- A list stated for the record type goes before the one stated for all, and that before the CRM's own, which is known
-- only as it is today (`order_basis`: 'stated' or 'today'). A list holds from midnight to midnight of the org's days and
-- speaks alone while it holds: a value it does not name is unknown.
--
-- One row at most fits a change, so that this finds it (records without a record type have ''):
--   LEFT JOIN stage_meaning AS m ON m.root = 'Case' AND m.record_type = coalesce(t.DeveloperName, '')
--     AND m.value = c.new_value AND c.moment >= m.since AND c.moment < m.until
--
-- `position` (1, 2, 3, ...) is the dense rank among the open values that are in use; one that no longer is in use lies
-- half-way, so that passing it is no skip; closed values have none. `is_closed` and `is_won` are null where the CRM's
-- own list does not tell.

-- Salesforce has no flag for a lead that is lost: the words of the status decide.
CREATE OR REPLACE TEMP MACRO reads_as_lost(status) AS
  regexp_matches(status, '(?i)^closed|unqualified|disqualified|not converted|rejected|junk');

CREATE OR REPLACE TEMP TABLE stage_meaning AS
WITH
own AS (
  SELECT 'Opportunity' AS root, ApiName AS value, SortOrder AS place, IsActive IS NOT FALSE AS in_use,
    IsClosed AS is_closed, CASE WHEN IsClosed IS FALSE THEN FALSE ELSE IsWon END AS is_won
  FROM OpportunityStage
  UNION ALL
  SELECT 'Case', ApiName, SortOrder, TRUE, IsClosed IS TRUE, FALSE FROM CaseStatus
  UNION ALL
  SELECT 'Lead', ApiName, SortOrder, TRUE, IsConverted IS TRUE OR reads_as_lost(ApiName), IsConverted IS TRUE
  FROM LeadStatus
),
stated AS (
  SELECT root, record_type AS of_type, value, position AS place, is_closed, is_won,
    coalesce(CAST(since AS TIMESTAMP) AT TIME ZONE local_zone(), TIMESTAMPTZ '-infinity') AS since,
    coalesce(CAST(until AS TIMESTAMP) AT TIME ZONE local_zone(), TIMESTAMPTZ 'infinity') AS until
  FROM stages
),
list AS (SELECT DISTINCT root, of_type, since, until FROM stated),
kind AS (
  SELECT r.root, coalesce(t.DeveloperName, '') AS record_type
  FROM (SELECT unnest(['Opportunity', 'Case', 'Lead']) AS root) AS r
  LEFT JOIN RecordType AS t ON coalesce(t.SobjectType = r.root, TRUE)
  UNION
  SELECT unnest(['Opportunity', 'Case', 'Lead']), ''
  UNION
  SELECT root, coalesce(of_type, '') FROM list
),
bound AS (  -- the moments at which another list may begin to hold
  SELECT root, record_type, TIMESTAMPTZ '-infinity' AS since FROM kind
  UNION
  SELECT k.root, k.record_type, unnest([l.since, l.until])
  FROM kind AS k
  JOIN list AS l ON l.root = k.root AND coalesce(l.of_type = k.record_type, TRUE)
),
span AS (
  SELECT *, coalesce(lead(since) OVER (PARTITION BY root, record_type ORDER BY since), 'infinity') AS until
  FROM bound
  WHERE since < 'infinity'
),
in_force AS (
  SELECT s.root, s.record_type, s.since, s.until, l.root IS NOT NULL AS is_stated, l.of_type, l.since AS list_since
  FROM span AS s
  LEFT JOIN list AS l ON l.root = s.root AND coalesce(l.of_type = s.record_type, TRUE)
    AND l.since <= s.since AND l.until >= s.until
  QUALIFY row_number() OVER (PARTITION BY s.root, s.record_type, s.since ORDER BY l.of_type NULLS LAST) = 1
),
named AS (
  SELECT f.root, f.record_type, f.since, f.until, s.value, s.place, TRUE AS in_use, s.is_closed, s.is_won,
    'stated' AS order_basis
  FROM in_force AS f
  JOIN stated AS s ON s.root = f.root AND s.of_type IS NOT DISTINCT FROM f.of_type AND s.since = f.list_since
  UNION ALL
  SELECT f.root, f.record_type, f.since, f.until, o.value, o.place, o.in_use, o.is_closed, o.is_won, 'today'
  FROM in_force AS f
  JOIN own AS o ON o.root = f.root
  WHERE NOT f.is_stated AND o.value IS NOT NULL
),
ranked AS (
  SELECT *, CASE WHEN in_use AND place IS NOT NULL
      THEN dense_rank() OVER (PARTITION BY root, record_type, since, is_closed IS TRUE, in_use ORDER BY place) END AS nth
  FROM named
)
SELECT root, record_type, since, until, value, is_closed, is_won, order_basis,
  CASE WHEN is_closed IS NOT TRUE AND place IS NOT NULL
    THEN coalesce(max(nth) OVER (PARTITION BY root, record_type, since, is_closed IS TRUE ORDER BY place), 0)
      + CASE WHEN in_use THEN 0 ELSE 0.5::DOUBLE END END AS position
FROM ranked;
