-- How cases move from status to status, are closed and reopened: one row per event, in the columns of an event. Only of
-- cases that live: the state of one that is deleted, or merged into another, is no state of any case of the log.
--
-- What a status means at a moment: stage_meaning; what no list names, the flags on the records that have it (or their
-- closing dates, where there are no flags); else the mark 'closed' at the moment of the change; else it is open.

CREATE OR REPLACE TEMP VIEW living_cases AS
FROM "Case" WHERE IsDeleted IS NOT TRUE AND Id NOT IN (SELECT loser_id FROM merges WHERE root = 'Case');

-- Since when the history tells changes of status: stated, or bounded by the first row there is of any case.
CREATE OR REPLACE TEMP VIEW case_coverage AS
SELECT arg_min(since, field = '*') FILTER (basis = 'stated' AND field IN ('Status', '*')) AS stated_since,
  min(since) AS first_since, count(*) FILTER (field = 'Status') > 0 AS status_tracked
FROM coverage
WHERE root = 'Case';

CREATE OR REPLACE TEMP TABLE case_moves AS
WITH
record AS (
  SELECT c.Id AS record_id, c.CreatedDate AS created_at, c.CreatedById AS creator, c.Status AS status, c.ClosedDate AS closed_at,
    coalesce(c.IsClosed, nullif(c.ClosedDate IS NOT NULL, FALSE)) AS flag, c.IsClosedOnCreate IS TRUE AS born_closed,
    coalesce(c.LastModifiedDate, c.SystemModstamp, c.CreatedDate) AS modified_at, c.LastModifiedById AS modifier,
    CASE WHEN t.DeveloperName IN (SELECT record_type FROM stage_meaning WHERE root = 'Case') THEN t.DeveloperName
      ELSE '' END AS record_type
  FROM living_cases AS c
  LEFT JOIN RecordType AS t ON t.Id = c.RecordTypeId
),
meaning AS (SELECT * FROM stage_meaning WHERE root = 'Case'),
flagged AS (FROM value_flags WHERE root = 'Case'),
told AS (
  SELECT r.record_type, c.record_id, c.moment, c.actor, c.field, c.old_value, c.new_value, c.seq, c.source_table, c.source_id
  FROM changes AS c
  JOIN record AS r USING (record_id)
  WHERE c.root = 'Case' AND c.field IN ('Status', 'closed', 'created')
),
mark AS (FROM told WHERE field = 'closed'),
explained AS (
  SELECT c.*, n.position - o.position AS delta, coalesce(o.is_closed, fo.is_closed) AS was_closed,
    coalesce(n.is_closed, fn.is_closed,
      (c.record_id, c.moment) IN (SELECT (record_id, moment) FROM mark)) AS closes
  FROM told AS c
  LEFT JOIN meaning AS o ON o.value = c.old_value AND o.record_type = c.record_type
    AND c.moment >= o.since AND c.moment < o.until
  LEFT JOIN meaning AS n ON n.value = c.new_value AND n.record_type = c.record_type
    AND c.moment >= n.since AND c.moment < n.until
  LEFT JOIN flagged AS fo ON fo.value = c.old_value
  LEFT JOIN flagged AS fn ON fn.value = c.new_value
  WHERE c.field = 'Status' AND c.new_value IS NOT NULL
),
step AS (
  SELECT * EXCLUDE was_closed,
    coalesce(was_closed, CASE WHEN lag(new_value) OVER steps = old_value THEN lag(closes) OVER steps END, FALSE) AS was_closed
  FROM explained
  WINDOW steps AS (PARTITION BY record_id ORDER BY moment, seq, source_id)
),
status_changes AS (
  SELECT record_id,
    CASE WHEN closes AND NOT was_closed THEN 'Close Case' WHEN was_closed AND NOT closes THEN 'Reopen Case'
      ELSE 'Status: ' || new_value END AS activity,
    moment AS occurred_at, actor, 200 AS rank, seq, source_table, source_id, old_value, new_value,
    CASE WHEN delta > 1 THEN 2 ELSE sign(delta) END AS direction, delta
  FROM step
),
-- The mark that Salesforce leaves at closing tells what no change of status at that moment does.
closing_marks AS (
  SELECT record_id, 'Close Case' AS activity, moment AS occurred_at, actor, 200 AS rank, seq, source_table, source_id
  FROM mark
  WHERE (record_id, moment) NOT IN (SELECT (record_id, moment) FROM step)
),
-- Then the record: closed when it was created, or closed as of now while the history leaves it open.
past AS (
  SELECT record_id, arg_min(was_closed, (moment, seq, source_id)) AS begins_closed,
    arg_min(old_value, (moment, seq, source_id)) AS first_value, arg_max(closes, (moment, seq, source_id)) AS ends_closed,
    max(moment) AS last_at
  FROM step GROUP BY record_id
),
last_mark AS (SELECT record_id, max(occurred_at) AS last_at FROM closing_marks GROUP BY record_id),
tracked AS (  -- since its creation: what the history never tells to change never changed
  SELECT r.record_id
  FROM record AS r
  CROSS JOIN case_coverage AS k
  WHERE CASE WHEN k.stated_since IS NOT NULL THEN r.created_at >= k.stated_since
    ELSE k.status_tracked AND r.record_id IN (SELECT record_id FROM told WHERE field = 'created') END
),
standing AS (
  SELECT r.*, p.record_id IS NOT NULL AS has_changes, coalesce(p.first_value, r.status) AS first_value,
    coalesce(m.is_closed, r.flag, f.is_closed, FALSE) AS is_closed,
    coalesce(l.last_at > p.last_at, l.last_at IS NOT NULL) OR coalesce(p.ends_closed, FALSE) AS told_closed,
    r.born_closed OR (t.record_id IS NOT NULL AND coalesce(p.begins_closed, FALSE)) AS begins_closed,
    t.record_id IS NOT NULL AND p.record_id IS NULL AS never_changed
  FROM record AS r
  LEFT JOIN past AS p USING (record_id)
  LEFT JOIN last_mark AS l USING (record_id)
  LEFT JOIN tracked AS t USING (record_id)
  LEFT JOIN flagged AS f ON f.value = r.status
  LEFT JOIN meaning AS m ON m.value = r.status AND m.record_type = r.record_type
    AND as_of() >= m.since AND (as_of() < m.until OR m.until = 'infinity')
),
closed_at_creation AS (
  SELECT record_id, 'Close Case' AS activity, created_at AS occurred_at, creator AS actor, 10 AS rank,
    'Case' AS source_table, record_id AS source_id, first_value AS new_value
  FROM standing
  WHERE begins_closed OR (never_changed AND is_closed AND NOT told_closed AND closed_at IS NULL)
),
closed_untold AS (
  SELECT record_id, 'Close Case' AS activity, e.moment AS occurred_at,
    CASE WHEN date_trunc('second', e.moment) = date_trunc('second', modified_at) THEN modifier END AS actor, 250 AS rank,
    'Case' AS source_table, record_id AS source_id, status AS new_value, closed_at IS NULL AS date_only
  FROM standing
  -- the last modification is only an upper bound
  CROSS JOIN LATERAL (SELECT coalesce(closed_at, greatest(created_at, modified_at)) AS moment) AS e
  WHERE is_closed AND NOT told_closed AND NOT (never_changed AND closed_at IS NULL)
    AND NOT (begins_closed AND NOT has_changes AND coalesce(closed_at <= created_at + INTERVAL '5 seconds', TRUE))
)
SELECT record_id AS case_id, activity, occurred_at, occurred_at AS recorded_at, actor, CAST(rank AS UTINYINT) AS rank,
  CAST(coalesce(seq, 0) AS USMALLINT) AS seq, source_table, source_id, old_value, new_value,
  CAST(direction AS TINYINT) AS direction, CAST(delta AS DOUBLE) AS delta, coalesce(date_only, FALSE) AS date_only, record_id
FROM (
  FROM status_changes UNION ALL BY NAME FROM closing_marks UNION ALL BY NAME FROM closed_at_creation
  UNION ALL BY NAME FROM closed_untold
) AS found;

CREATE OR REPLACE TEMP MACRO case_moves() AS TABLE FROM case_moves;
