-- What the histories tell as of the moment; see history.sql. The tables of the moment are named `as_of.` here, because
-- state.sql, which comes later, puts its own in their place.

-- Merges: the record that was given up (`loser_id`), the one that took it in (`into_id`) and the one that lives on after
-- all merges known at the moment (`survivor_id`). The winner's history marks when; where it has no mark or several that
-- could be meant, the loser's last change is the latest it can have been (`estimated`).
CREATE OR REPLACE TEMP TABLE all_merges AS
WITH
loser AS (
  SELECT 'Account' AS root, Id AS loser_id, MasterRecordId AS into_id, coalesce(SystemModstamp, LastModifiedDate) AS changed
  FROM as_of.Account WHERE MasterRecordId IS NOT NULL
  UNION ALL
  SELECT 'Contact', Id, MasterRecordId, coalesce(SystemModstamp, LastModifiedDate)
  FROM as_of.Contact WHERE MasterRecordId IS NOT NULL
  UNION ALL
  SELECT 'Lead', Id, MasterRecordId, coalesce(SystemModstamp, LastModifiedDate)
  FROM as_of.Lead WHERE MasterRecordId IS NOT NULL
  UNION ALL
  SELECT 'Case', Id, MasterRecordId, coalesce(SystemModstamp, LastModifiedDate)
  FROM as_of."Case" WHERE MasterRecordId IS NOT NULL
),
mark AS (
  SELECT root, record_id, moment, source_table, source_id FROM all_changes
  WHERE field IN ('accountMerged', 'leadMerged', 'caseMerged') AND kind = 'mark'
),
marked AS (  -- a mark of the very second goes before an only one
  SELECT l.root, l.loser_id, m.moment, m.source_table, m.source_id,
    abs(date_diff('second', m.moment, l.changed)) <= 5 AS fits,
    count(*) OVER (PARTITION BY l.root, l.loser_id) AS marks
  FROM loser AS l
  JOIN mark AS m ON m.root = l.root AND m.record_id = l.into_id
    AND coalesce(m.moment <= l.changed + INTERVAL '5 seconds', TRUE)
  QUALIFY (fits OR marks = 1)
    AND row_number() OVER (PARTITION BY l.root, l.loser_id ORDER BY fits DESC, m.moment DESC, m.source_id) = 1
)
SELECT l.root, l.loser_id, l.into_id, coalesce(m.moment, l.changed) AS moment, m.moment IS NULL AS estimated,
  coalesce(m.source_table, l.root) AS source_table, coalesce(m.source_id, l.loser_id) AS source_id
FROM loser AS l
LEFT JOIN marked AS m ON m.root = l.root AND m.loser_id = l.loser_id;

CREATE OR REPLACE TEMP TABLE merges AS
WITH RECURSIVE
known AS (FROM all_merges WHERE coalesce(moment <= as_of(), TRUE)),  -- one without any moment counts always
path (root, loser_id, survivor_id, steps) AS (
  SELECT root, loser_id, into_id, 1 FROM known
  UNION ALL
  SELECT p.root, p.loser_id, k.into_id, p.steps + 1
  FROM path AS p
  JOIN known AS k ON k.root = p.root AND k.loser_id = p.survivor_id
  WHERE p.steps < 100
),
living AS (  -- records that claim to be merged in a circle stay what they are
  SELECT root, loser_id, arg_max(survivor_id, steps) AS survivor_id FROM path GROUP BY root, loser_id HAVING max(steps) < 100
)
SELECT k.root, k.loser_id, v.survivor_id, k.into_id, k.moment, k.estimated, k.source_table, k.source_id
FROM known AS k
JOIN living AS v ON v.root = k.root AND v.loser_id = k.loser_id;

CREATE OR REPLACE TEMP VIEW changes AS
SELECT c.* EXCLUDE (replaced_at), coalesce(m.survivor_id, c.record_id) AS case_id
FROM all_changes AS c
LEFT JOIN merges AS m ON m.root = c.root AND m.loser_id = c.record_id
WHERE c.moment <= as_of() AND coalesce(c.replaced_at > as_of(), TRUE);

-- Changes of a field whose words have levels: `delta` is the new level less the old one, null where a word has none.
CREATE OR REPLACE TEMP MACRO level_changes(of_root, of_field) AS TABLE
SELECT c.*, n.level - o.level AS delta
FROM changes AS c
LEFT JOIN levels AS o ON o.field = of_field AND o.word = lower(c.old_value)
LEFT JOIN levels AS n ON n.field = of_field AND n.word = lower(c.new_value)
WHERE c.root = of_root AND c.field = of_field;

CREATE OR REPLACE TEMP VIEW first_snapshots AS SELECT *, record_id AS case_id FROM all_first_snapshots WHERE moment <= as_of();
CREATE OR REPLACE TEMP VIEW set_aside AS SELECT source_table, source_id, reason FROM all_set_aside WHERE moment <= as_of();

-- Since when changes are kept. `field` is the record's column, or a mark; '*' is any field of the table. Where source.toml does
-- not state it, the first row is a bound ('estimated'). What was deleted for its age is not covered. A snapshot shows five
-- columns, whichever of them it was made for.
CREATE OR REPLACE TEMP TABLE coverage AS
WITH
history (root, source_table) AS (
  VALUES ('Account', 'AccountHistory'), ('Lead', 'LeadHistory'), ('Opportunity', 'OpportunityFieldHistory'),
    ('Opportunity', 'OpportunityHistory'), ('Case', 'CaseHistory')
),
shown (source_table, field) AS (
  SELECT 'OpportunityHistory', unnest(['StageName', 'Amount', 'CloseDate', 'Probability', 'ForecastCategory'])
),
first_row AS (
  SELECT f.source_table, coalesce(s.field, column_of(f.field), f.field) AS field, f.since
  FROM first_rows AS f
  LEFT JOIN shown AS s USING (source_table)
  WHERE f.since <= as_of()
),
met AS (
  SELECT source_table, field, min(since) AS since FROM first_row GROUP BY ALL
  UNION ALL
  SELECT source_table, '*', min(since) FROM first_row GROUP BY ALL
),
stated AS (
  SELECT source_table, coalesce(column_of(field), field, '*') AS field, since, kept_since FROM tracking
),
named AS (SELECT source_table, field FROM met UNION SELECT source_table, field FROM stated)
SELECT h.root, n.field, n.source_table,
  greatest(coalesce(s.since, t.since, m.since), t.kept_since) AS since,
  CASE WHEN coalesce(s.since, t.since) IS NULL THEN 'estimated' ELSE 'stated' END AS basis
FROM named AS n
JOIN history AS h ON h.source_table = n.source_table
LEFT JOIN met AS m ON m.source_table = n.source_table AND m.field = n.field
LEFT JOIN stated AS s ON s.source_table = n.source_table AND s.field = n.field
LEFT JOIN stated AS t ON t.source_table = n.source_table AND t.field = '*'
WHERE coalesce(s.since, t.since, m.since) IS NOT NULL;

-- Since when changes of a column are covered by any history; null when by none.
CREATE OR REPLACE TEMP MACRO covered_since(of_root, of_field) AS
  (SELECT min(since) FROM coverage WHERE root = of_root AND field = of_field);
