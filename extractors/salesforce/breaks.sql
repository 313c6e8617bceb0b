-- Where the histories contradict themselves, each other or the records of today, for whoever checks the data. Runs only then.

-- 1. Chains: the old value of a change is the new value of the one before. Long texts keep no values and break nothing.
CREATE OR REPLACE TEMP TABLE broken_links AS
WITH
links AS (  -- numbers in the place of texts, so that millions are soon in order
  SELECT rowid AS place, hash(root, record_id, column_name) AS chain, moment, seq, by_id,
    hash(plain_value(column_name, old_value)) AS old_hash, hash(plain_value(column_name, new_value)) AS new_hash
  FROM all_changes
  WHERE column_name IS NOT NULL AND replaced_at IS NULL AND (old_value IS NOT NULL OR new_value IS NOT NULL)
),
odd AS (
  SELECT place, lag(place) OVER one_field AS place_before
  FROM links
  WINDOW one_field AS (PARTITION BY chain ORDER BY moment, seq)
  QUALIFY lag(new_hash) OVER one_field <> old_hash
)
SELECT c.rowid AS place, c.root, c.record_id, c.column_name AS field, c.moment, b.new_value AS expected, c.old_value AS found,
  c.source_table, c.source_id, b.by_id AS expected_by_id, c.by_id AS found_by_id, b.moment AS expected_since
FROM odd AS o
JOIN all_changes AS c ON c.rowid = o.place
JOIN all_changes AS b ON b.rowid = o.place_before
WHERE b.root = c.root AND b.record_id = c.record_id AND b.column_name = c.column_name;

-- A name after an Id, or an Id after a name: the row of names beside the Id tells whether they mean the same.
DELETE FROM broken_links AS l
WHERE l.expected IS NOT NULL AND l.found IS NOT NULL AND l.expected_by_id <> l.found_by_id
  AND NOT EXISTS (
    FROM shared_rows AS n
    WHERE n.root = l.root AND n.record_id = l.record_id AND n.column_name = l.field
      AND n.reason = 'name row beside an Id row'
      AND CASE WHEN l.expected_by_id THEN n.moment = l.expected_since AND n.new_value <> l.found
        ELSE n.moment = l.moment AND n.old_value <> l.expected END
  );

-- 2. The two histories of opportunities: both tell a change of one field within five seconds, but not the same; or a snapshot
--    tells one that field history does not, though it was kept by then.
CREATE OR REPLACE TEMP TABLE all_disagreements AS
WITH
kept AS (
  SELECT CASE WHEN f.field = 'ForecastCategoryName' THEN 'ForecastCategory' ELSE f.field END AS field,
    min(coalesce(t.since, f.since)) AS since
  FROM first_rows AS f
  LEFT JOIN tracking AS t ON t.source_table = f.source_table AND t.field = f.field
  WHERE f.source_table = 'OpportunityFieldHistory'
  GROUP BY ALL
),
near AS (
  SELECT u.source_id, u.field, arg_min({'value': h.new_value, 'source_id': h.source_id},
    (abs(date_diff('second', u.moment, h.moment)), h.moment, h.source_id)) AS told
  FROM untold AS u
  JOIN shown_rows AS h ON h.record_id = u.record_id AND h.field = u.field
    AND h.moment BETWEEN u.moment - INTERVAL '5 seconds' AND u.moment + INTERVAL '5 seconds'
  WHERE u.replaced_at IS NULL
  GROUP BY u.source_id, u.field
)
SELECT u.record_id, u.moment, u.field, n.told.value AS by_history, u.new_value AS by_snapshot,
  n.told.source_id AS history_id, u.source_id AS snapshot_id,
  CASE WHEN n.told IS NULL THEN 'only the snapshot tells it' ELSE 'both tell it, differently' END AS kind
FROM untold AS u
LEFT JOIN near AS n ON n.source_id = u.source_id AND n.field = u.field
LEFT JOIN kept AS k ON k.field = u.field
WHERE u.replaced_at IS NULL AND (n.told IS NOT NULL OR u.moment >= k.since);

-- 3. All broken chains: inside a history, and where it ends elsewhere than the record of today.
--    Names of look-ups are not held against Ids, nor what reads as no value of the column; of texts, 255 characters are kept.
CREATE OR REPLACE TEMP MACRO today_sql(of_table) AS (
  SELECT 'SELECT l.*, t.Id IS NOT NULL AS is_there, CASE l.field '
    || string_agg('WHEN ''' || column_name || ''' THEN CAST(t."' || column_name || '" AS VARCHAR)', ' ' ORDER BY column_index)
    || ' END AS found, CASE l.field '
    || string_agg('WHEN ''' || column_name || ''' THEN ' || CASE data_type
        WHEN 'VARCHAR' THEN 'left(l.expected, 255) IS DISTINCT FROM left(t."' || column_name || '", 255)'
        ELSE '(l.expected IS NULL OR TRY_CAST(' || CASE data_type WHEN 'DATE' THEN 'iso_date' ELSE '' END || '(l.expected) AS '
          || data_type || ') IS NOT NULL) AND TRY_CAST(' || CASE data_type WHEN 'DATE' THEN 'iso_date' ELSE '' END
          || '(l.expected) AS ' || data_type || ') IS DISTINCT FROM t."' || column_name || '"' END, ' ' ORDER BY column_index)
    || ' END AS differs FROM last_told AS l JOIN as_of."' || of_table || '" AS t ON l.root = ''' || of_table
    || ''' AND t.Id = l.record_id'
  FROM duckdb_columns()
  WHERE database_name = current_database() AND schema_name = 'as_of' AND table_name = of_table
);
SET VARIABLE records_today = (
  SELECT today_sql('Account') || ' UNION ALL ' || today_sql('Lead') || ' UNION ALL ' || today_sql('Opportunity') || ' UNION ALL '
    || today_sql('Case'));

CREATE OR REPLACE TEMP VIEW last_told AS
SELECT root, record_id, column_name AS field, told.moment AS moment, told.new_value AS expected,
  told.source_table AS source_table, told.source_id AS source_id
FROM (
  SELECT root, record_id, column_name, arg_max({'moment': moment, 'old_value': old_value, 'new_value': new_value, 'by_id': by_id,
    'source_table': source_table, 'source_id': source_id}, (moment, seq)) AS told
  FROM all_changes
  WHERE column_name IS NOT NULL AND replaced_at IS NULL
  GROUP BY root, record_id, column_name
)
WHERE CASE WHEN told.new_value IS NULL THEN told.old_value IS NOT NULL
  ELSE told.by_id OR NOT ends_with(column_name, 'Id') END;

CREATE OR REPLACE TEMP VIEW all_breaks AS
SELECT root, record_id, field, moment, expected, found, source_table, source_id, 'inside the chain' AS kind FROM broken_links
UNION ALL
SELECT root, record_id, field, moment, expected, found, source_table, source_id, 'against the record of today'
FROM (  -- a column that no record has a value in was not supplied
  FROM query(getvariable('records_today'))
  QUALIFY count(found) OVER (PARTITION BY root, field) > 0
)
WHERE differs;
