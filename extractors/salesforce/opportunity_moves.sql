-- How opportunities move from stage to stage, are closed and reopened: one row per move. The account and the lead read
-- it too. A stage nobody explains counts as open; it has no place in the order, so that moves from and to it have no
-- direction.

CREATE OR REPLACE TEMP TABLE opportunity_moves AS
WITH
-- Where the list in force is silent about a value: the latest list that names it, else the flags on the records.
named AS (
  SELECT value, arg_max_null(is_closed, (since, record_type)) AS is_closed, arg_max_null(is_won, (since, record_type)) AS is_won
  FROM stage_meaning
  WHERE root = 'Opportunity'
  GROUP BY value
),
explained AS (
  SELECT value, coalesce(n.is_closed, f.is_closed, FALSE) AS is_closed, coalesce(n.is_won, f.is_won) AS is_won
  FROM named AS n
  FULL JOIN (FROM value_flags WHERE root = 'Opportunity') AS f USING (value)
),
-- The record type of a record over time, where changes of it are tracked; else the one it has.
type_word AS (
  SELECT Id AS word, DeveloperName FROM RecordType
  UNION ALL
  SELECT Name, min(DeveloperName) FROM RecordType WHERE SobjectType = 'Opportunity' AND Name IS NOT NULL GROUP BY Name
),
type_change AS (
  SELECT c.record_id, c.moment, c.seq, c.source_id, o.DeveloperName AS old_type, n.DeveloperName AS new_type
  FROM changes AS c
  LEFT JOIN type_word AS o ON o.word = c.old_value
  LEFT JOIN type_word AS n ON n.word = c.new_value
  WHERE c.root = 'Opportunity' AND c.column_name = 'RecordTypeId'
),
type_span AS (
  SELECT record_id, TIMESTAMPTZ '-infinity' AS since, min(moment) AS until,
    coalesce(arg_min_null(old_type, (moment, seq, source_id)), '') AS record_type
  FROM type_change
  GROUP BY record_id
  UNION ALL
  SELECT record_id, moment, coalesce(lead(moment) OVER (PARTITION BY record_id ORDER BY moment, seq, source_id), 'infinity'),
    coalesce(new_type, '')
  FROM type_change
),
record AS (
  SELECT o.Id, o.CreatedDate, o.CreatedById, o.StageName, o.LastStageChangeDate, o.CloseDate,
    coalesce(o.SystemModstamp, o.LastModifiedDate) AS modified, coalesce(n.SystemModstamp, n.LastModifiedDate) AS modified_today,
    coalesce(t.DeveloperName, '') AS record_type
  FROM Opportunity AS o
  JOIN as_of.Opportunity AS n ON n.Id = o.Id
  LEFT JOIN RecordType AS t ON t.Id = o.RecordTypeId
),
change AS (  -- a change of record type in the same save holds for the new stage, not for the old one
  SELECT c.*, coalesce(p.record_type, r.record_type, '') AS old_type, coalesce(n.record_type, r.record_type, '') AS new_type
  FROM changes AS c
  LEFT JOIN record AS r ON r.Id = c.record_id
  LEFT JOIN type_span AS p ON p.record_id = c.record_id AND c.moment > p.since AND c.moment <= p.until
  LEFT JOIN type_span AS n ON n.record_id = c.record_id AND c.moment >= n.since AND c.moment < n.until
  WHERE c.root = 'Opportunity' AND c.column_name = 'StageName'
),
changed AS (
  SELECT c.record_id AS OpportunityId,
    CASE WHEN k.closing AND k.is_won THEN 'Win Opportunity'
      WHEN k.closing AND NOT k.is_won THEN 'Lose Opportunity'
      WHEN k.closing THEN 'Close Opportunity'
      WHEN k.was_closed AND NOT k.is_closed THEN 'Reopen Opportunity'
      ELSE 'Stage: ' || c.new_value END AS activity,
    c.moment AS occurred_at, c.moment AS recorded_at, c.actor, 200 AS rank, c.seq, c.source_table, c.source_id,
    c.old_value, c.new_value,
    CASE WHEN c.old_type = c.new_type AND NOT k.was_closed AND NOT k.is_closed THEN n.position - o.position END AS delta,
    FALSE AS date_only
  FROM change AS c
  LEFT JOIN stage_meaning AS o ON o.root = 'Opportunity' AND o.record_type = c.old_type AND o.value = c.old_value
    AND c.moment >= o.since AND c.moment < o.until
  LEFT JOIN stage_meaning AS n ON n.root = 'Opportunity' AND n.record_type = c.new_type AND n.value = c.new_value
    AND c.moment >= n.since AND c.moment < n.until
  LEFT JOIN explained AS eo ON eo.value = c.old_value
  LEFT JOIN explained AS en ON en.value = c.new_value
  CROSS JOIN LATERAL (SELECT coalesce(o.is_closed, eo.is_closed, FALSE) AS was_closed,
    coalesce(o.is_won, eo.is_won) AS was_won, coalesce(n.is_closed, en.is_closed, FALSE) AS is_closed,
    coalesce(n.is_won, en.is_won) AS is_won) AS f
  CROSS JOIN LATERAL (SELECT f.was_closed, f.is_closed, f.is_won,
    -- from one closed stage to another only a turn between won and lost is a new ending
    f.is_closed AND NOT (f.was_closed AND f.was_won IS NOT DISTINCT FROM f.is_won) AS closing) AS k
  WHERE c.new_value IS NOT NULL
),
-- Closings that no change tells: created closed, or closed before any history we hold.
first_change AS (
  SELECT record_id, min(moment) AS moment, arg_min_null(old_value, (moment, seq, source_id)) AS stage
  FROM change
  GROUP BY record_id
),
marked AS (
  SELECT DISTINCT record_id FROM changes
  WHERE root = 'Opportunity' AND field IN ('created', 'opportunityCreatedFromLead')
),
tracked AS (
  SELECT min(since) AS since FROM coverage
  WHERE root = 'Opportunity' AND source_table = 'OpportunityFieldHistory' AND field = 'StageName'
),
unseen AS (
  SELECT r.*, f.record_id IS NOT NULL AS changes_known, s.source_id IS NOT NULL AS by_snapshot,
    CASE WHEN s.source_id IS NULL THEN r.CreatedById ELSE s.actor END AS actor,
    CASE WHEN s.source_id IS NULL THEN 'Opportunity' ELSE 'OpportunityHistory' END AS source_table,
    coalesce(s.source_id, r.Id) AS source_id, s.moment AS snapshot_at,
    CASE WHEN s.source_id IS NOT NULL THEN s.StageName WHEN f.record_id IS NOT NULL THEN f.stage ELSE r.StageName END
      AS value,
    -- history that begins at the creation shows the stage the record was created in
    m.record_id IS NOT NULL AND t.since IS NOT NULL AS from_the_start,
    coalesce(r.CreatedDate >= t.since, FALSE) AS tracked_then
  FROM record AS r
  CROSS JOIN tracked AS t
  LEFT JOIN first_change AS f ON f.record_id = r.Id
  LEFT JOIN marked AS m ON m.record_id = r.Id
  -- a first snapshot speaks for what was before the first change
  LEFT JOIN first_snapshots AS s ON s.record_id = r.Id AND (f.record_id IS NULL
    OR (s.moment <= f.moment + INTERVAL '5 seconds' AND s.StageName IS NOT DISTINCT FROM f.stage))
),
closed_unseen AS (  -- a stage that only the record of today tells is known since its last modification, not earlier
  SELECT u.Id AS OpportunityId, e.moment AS occurred_at, u.actor, u.source_table, u.source_id, u.value AS new_value,
    CASE WHEN u.from_the_start AND NOT u.by_snapshot AND NOT u.changes_known AND NOT u.tracked_then
      THEN greatest(e.moment, u.modified_today) ELSE e.moment END AS recorded_at,
    NOT u.by_snapshot AND NOT u.from_the_start AND u.LastStageChangeDate IS NULL AS date_only,
    coalesce(first_type.record_type, u.record_type) AS record_type
  FROM unseen AS u
  LEFT JOIN type_span AS first_type ON first_type.record_id = u.Id AND first_type.since = TIMESTAMPTZ '-infinity'
  CROSS JOIN LATERAL (SELECT CASE WHEN u.by_snapshot THEN greatest(u.snapshot_at, u.CreatedDate)
    WHEN u.from_the_start THEN u.CreatedDate
    WHEN u.LastStageChangeDate IS NOT NULL THEN u.LastStageChangeDate
    ELSE greatest(u.CreatedDate, least(u.modified, end_of_day(u.CloseDate))) END AS moment) AS e
  WHERE u.by_snapshot OR u.from_the_start OR NOT u.changes_known
),
synthesised AS (
  SELECT u.* EXCLUDE (record_type), 250 AS rank,
    CASE WHEN k.is_won THEN 'Win Opportunity' WHEN NOT k.is_won THEN 'Lose Opportunity' ELSE 'Close Opportunity' END
      AS activity
  FROM closed_unseen AS u
  LEFT JOIN stage_meaning AS s ON s.root = 'Opportunity' AND s.record_type = u.record_type AND s.value = u.new_value
    AND u.occurred_at >= s.since AND u.occurred_at < s.until
  LEFT JOIN explained AS e ON e.value = u.new_value
  CROSS JOIN LATERAL (SELECT coalesce(s.is_closed, e.is_closed, FALSE) AS is_closed,
    coalesce(s.is_won, e.is_won) AS is_won) AS k
  WHERE k.is_closed
)
SELECT OpportunityId, OpportunityId AS case_id, activity, occurred_at, recorded_at, actor, CAST(rank AS UTINYINT) AS rank,
  CAST(coalesce(seq, 0) AS USMALLINT) AS seq, source_table, source_id, old_value, new_value,
  CAST(CASE WHEN delta > 1 THEN 2 WHEN delta > 0 THEN 1 WHEN delta < 0 THEN -1 END AS TINYINT) AS direction,
  CAST(delta AS DOUBLE) AS delta, date_only, OpportunityId AS record_id
FROM (FROM changed UNION ALL BY NAME FROM synthesised);

-- Forecast categories, in either of Salesforce's two vocabularies, from Omitted (0) to Closed (5).
CREATE OR REPLACE TEMP MACRO forecast_rank(category) AS
  CASE lower(regexp_replace(category, '[^A-Za-z]', '', 'g')) WHEN 'omitted' THEN 0 WHEN 'pipeline' THEN 1
    WHEN 'bestcase' THEN 2 WHEN 'mostlikely' THEN 3 WHEN 'commit' THEN 4 WHEN 'forecast' THEN 4 WHEN 'closed' THEN 5 END;
CREATE OR REPLACE TEMP MACRO forecast_name(category) AS
  coalesce(['Omitted', 'Pipeline', 'Best Case', 'Most Likely', 'Commit', 'Closed'][forecast_rank(category) + 1], category);
