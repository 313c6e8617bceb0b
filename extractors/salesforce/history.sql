-- What the histories tell, in one form: one row per change of one field of one record. Runs once, on everything that was
-- ever recorded. A later row never changes what an earlier one means: where it takes its place, `replaced_at` says since
-- when, so that as of any moment the earlier one still speaks.

-- The tables themselves are meant here, not what an earlier run made of them (see state.sql).
DROP VIEW IF EXISTS temp.Account;
DROP VIEW IF EXISTS temp.Contact;
DROP VIEW IF EXISTS temp.Lead;
DROP VIEW IF EXISTS temp.Opportunity;
DROP VIEW IF EXISTS temp."Case";

-- 1. Field histories, row by row, in the table where only changes will be left.
--    `column_name`: the record's column that changed; look-ups are called by their relationship.
--    `form`: 2 an Id, 1 said to be an Id, 0 a name or any other value. Only look-ups have Ids: a text that merely looks
--    like one is a text. Custom look-ups are known by an Id with the right checksum.
--    `save`: rows that may concern each other share it.
CREATE OR REPLACE TEMP TABLE field_words AS
SELECT DISTINCT field, CASE WHEN is_mark(field) THEN 'mark' ELSE 'field' END AS kind, column_of(field) AS column_name,
  coalesce(column_of(field), field) AS what, coalesce(ends_with(column_of(field), 'Id'), FALSE) AS looks_up,
  ends_with(field, '__c') AS is_custom
FROM first_rows
WHERE field IS NOT NULL;

CREATE OR REPLACE TEMP TABLE all_changes AS
WITH
every_row AS (
  SELECT 'Account' AS root, 'AccountHistory' AS source_table, AccountId AS record_id, Id AS source_id, IsDeleted AS deleted,
    CreatedDate AS moment, CreatedById AS actor, Field AS field, DataType AS data_type, OldValue AS old_text, NewValue AS new_text
  FROM AccountHistory
  UNION ALL
  SELECT 'Lead', 'LeadHistory', LeadId, Id, IsDeleted, CreatedDate, CreatedById, Field, DataType, OldValue, NewValue
  FROM LeadHistory
  UNION ALL
  SELECT 'Opportunity', 'OpportunityFieldHistory', OpportunityId, Id, IsDeleted, CreatedDate, CreatedById, Field, DataType,
    OldValue, NewValue
  FROM OpportunityFieldHistory
  UNION ALL
  SELECT 'Case', 'CaseHistory', CaseId, Id, IsDeleted, CreatedDate, CreatedById, Field, DataType, OldValue, NewValue
  FROM CaseHistory
),
formed AS (
  SELECT r.*, w.kind, w.column_name, w.what,
    CASE WHEN NOT (w.looks_up OR w.is_custom OR data_type = 'EntityId') OR coalesce(new_text, old_text) IS NULL THEN 0
      WHEN is_id(coalesce(new_text, old_text)) AND is_id(coalesce(old_text, new_text))
        AND (w.looks_up OR data_type = 'EntityId' OR right(coalesce(new_text, old_text), 3) = id_suffix(coalesce(new_text, old_text)))
        THEN 2
      WHEN data_type = 'EntityId' THEN 1
      ELSE 0 END AS form
  FROM every_row AS r
  JOIN field_words AS w ON w.field = r.field
)
SELECT root, record_id, moment, actor, field, kind, column_name,
  CASE WHEN form = 2 THEN long_id(old_text) ELSE old_text END AS old_value,
  CASE WHEN form = 2 THEN long_id(new_text) ELSE new_text END AS new_value,
  form > 0 AS by_id, 0::USMALLINT AS seq, source_table, source_id, NULL::TIMESTAMPTZ AS replaced_at,
  form::UTINYINT AS form, deleted IS TRUE AS deleted, hash(record_id, moment, what) AS save
FROM formed;

-- 2. Rows that tell no change by themselves. A deleted row counts where its record was deleted with it.
CREATE OR REPLACE TEMP TABLE all_set_aside AS
SELECT source_table, source_id, moment, CASE WHEN deleted THEN 'deleted row' ELSE 'old and new value are the same' END AS reason
FROM (FROM all_changes WHERE deleted OR (kind = 'field' AND old_value = new_value))
WHERE (kind = 'field' AND old_value = new_value) OR NOT EXISTS (
  FROM (SELECT Id FROM Account WHERE IsDeleted UNION ALL SELECT Id FROM Lead WHERE IsDeleted
    UNION ALL SELECT Id FROM Opportunity WHERE IsDeleted UNION ALL SELECT Id FROM "Case" WHERE IsDeleted) AS gone
  WHERE gone.Id = record_id);
DELETE FROM all_changes
WHERE (deleted OR (kind = 'field' AND old_value = new_value))
  AND (source_table, source_id) IN (SELECT (source_table, source_id) FROM all_set_aside);

-- 3. Snapshots of opportunities. The first of a record shows it as it was created, or as it was when snapshots began; every
--    later one differs from the one before by what its save changed. Of several in one second the Id decides.
CREATE OR REPLACE TEMP TABLE snapshot_rows AS
SELECT *,
  NOT is_first AND (old_stage IS DISTINCT FROM StageName OR old_amount IS DISTINCT FROM Amount
    OR old_close_date IS DISTINCT FROM CloseDate OR old_probability IS DISTINCT FROM Probability
    OR old_category IS DISTINCT FROM ForecastCategory) AS tells_change
FROM (
  SELECT Id AS source_id, OpportunityId AS record_id, CreatedDate AS moment, CreatedById AS actor, StageName, Amount, CloseDate,
    Probability, ForecastCategory, lag(Id) OVER saves IS NULL AS is_first,
    lag(StageName) OVER saves AS old_stage,
    CASE WHEN lag(Id) OVER saves IS NULL THEN PrevAmount ELSE lag(Amount) OVER saves END AS old_amount,
    CASE WHEN lag(Id) OVER saves IS NULL THEN PrevCloseDate ELSE lag(CloseDate) OVER saves END AS old_close_date,
    lag(Probability) OVER saves AS old_probability, lag(ForecastCategory) OVER saves AS old_category,
    lag(CreatedDate) OVER saves AS moment_before
  FROM OpportunityHistory
  WHERE IsDeleted IS NOT TRUE OR OpportunityId IN (SELECT Id FROM Opportunity WHERE IsDeleted)
  WINDOW saves AS (PARTITION BY OpportunityId ORDER BY CreatedDate, Id)
);

CREATE OR REPLACE TEMP TABLE all_first_snapshots AS
SELECT source_id, record_id, moment, actor, StageName, Amount, CloseDate, Probability, ForecastCategory
FROM snapshot_rows
WHERE is_first;

-- What both histories tell is compared in one form; '?' is a number or a date that does not read one way.
CREATE OR REPLACE TEMP MACRO plain_value(field, value) AS CASE
  WHEN value IS NULL THEN ''
  WHEN field IN ('Amount', 'Probability') THEN coalesce(CAST(TRY_CAST(value AS DOUBLE) AS VARCHAR), '?')
  WHEN field = 'CloseDate' THEN CASE WHEN regexp_matches(value, '^\d{4}-\d{2}-\d{2}') THEN left(value, 10) ELSE '?' END
  WHEN field = 'ForecastCategory' THEN CASE WHEN value = 'Commit' THEN 'Forecast' ELSE replace(value, ' ', '') END
  ELSE value END;

-- Field-history rows of what snapshots show, too. `shown` is a number for the record, the field and the value, `chain` for
-- the record and the field.
CREATE OR REPLACE TEMP TABLE shown_rows AS
SELECT record_id, moment, field, new_value, source_id, hash(record_id, field, plain_value(field, new_value)) AS shown,
  hash(record_id, field) AS chain
FROM (
  SELECT record_id, moment, CASE WHEN field = 'ForecastCategoryName' THEN 'ForecastCategory' ELSE field END AS field, new_value,
    source_id
  FROM all_changes
  WHERE root = 'Opportunity'
    AND field IN ('StageName', 'Amount', 'CloseDate', 'Probability', 'ForecastCategory', 'ForecastCategoryName')
);

-- 4. The changes that snapshots tell and field history does not: no row of the same record and field with the same new value
--    within five seconds, and none with that value in the last second in which field history changed the field since the
--    snapshot before: then a snapshot between them is missing. Where the row comes later, the snapshot speaks until then.
CREATE OR REPLACE TEMP TABLE untold AS
WITH
each_change AS (
  SELECT rowid AS place, record_id, moment, moment_before, 'StageName' AS field, coalesce(StageName, '') AS plain
  FROM snapshot_rows WHERE NOT is_first AND old_stage IS DISTINCT FROM StageName
  UNION ALL
  SELECT rowid, record_id, moment, moment_before, 'Amount', coalesce(CAST(Amount AS VARCHAR), '')
  FROM snapshot_rows WHERE (NOT is_first OR old_amount IS NOT NULL) AND old_amount IS DISTINCT FROM Amount
  UNION ALL
  SELECT rowid, record_id, moment, moment_before, 'CloseDate', coalesce(CAST(CloseDate AS VARCHAR), '')
  FROM snapshot_rows WHERE (NOT is_first OR old_close_date IS NOT NULL) AND old_close_date IS DISTINCT FROM CloseDate
  UNION ALL
  SELECT rowid, record_id, moment, moment_before, 'Probability', coalesce(CAST(Probability AS VARCHAR), '')
  FROM snapshot_rows WHERE NOT is_first AND old_probability IS DISTINCT FROM Probability
  UNION ALL
  SELECT rowid, record_id, moment, moment_before, 'ForecastCategory', coalesce(ForecastCategory, '')
  FROM snapshot_rows WHERE NOT is_first AND old_category IS DISTINCT FROM ForecastCategory
),
not_told_at_once AS (
  SELECT c.*
  FROM (
    SELECT place, field, moment, moment_before, moment - INTERVAL '5 seconds' AS since,
      hash(record_id, field, plain) AS shown, hash(record_id, field, '?') AS unreadable, hash(record_id, field) AS chain
    FROM each_change
  ) AS c
  ANTI JOIN shown_rows AS h ON h.shown = c.shown AND h.moment <= c.moment AND h.moment >= c.since
),
left_at AS (
  SELECT c.place, c.field, h.shown = c.shown AS same
  FROM not_told_at_once AS c
  JOIN shown_rows AS h ON h.chain = c.chain AND h.moment > c.moment_before AND h.moment < c.moment
  QUALIFY rank() OVER (PARTITION BY c.place, c.field ORDER BY h.moment DESC) = 1
),
not_told_yet AS (
  SELECT c.* FROM not_told_at_once AS c
  ANTI JOIN left_at AS t ON t.place = c.place AND t.field = c.field AND t.same
),
told_later AS (
  SELECT place, field, min(greatest(told, moment)) AS replaced_at
  FROM (
    SELECT c.place, c.field, c.moment, h.moment AS told, c.since
    FROM not_told_yet AS c JOIN shown_rows AS h ON h.shown = c.shown
    UNION ALL
    SELECT c.place, c.field, c.moment, h.moment, c.since
    FROM not_told_yet AS c JOIN shown_rows AS h ON h.shown = c.unreadable
  )
  WHERE told BETWEEN since AND moment + INTERVAL '5 seconds'
  GROUP BY place, field
)
SELECT s.source_id, s.record_id, s.moment, s.actor, c.field,
  CASE c.field WHEN 'StageName' THEN s.old_stage WHEN 'Amount' THEN CAST(s.old_amount AS VARCHAR)
    WHEN 'CloseDate' THEN CAST(s.old_close_date AS VARCHAR) WHEN 'Probability' THEN CAST(s.old_probability AS VARCHAR)
    ELSE s.old_category END AS old_value,
  CASE c.field WHEN 'StageName' THEN s.StageName WHEN 'Amount' THEN CAST(s.Amount AS VARCHAR)
    WHEN 'CloseDate' THEN CAST(s.CloseDate AS VARCHAR) WHEN 'Probability' THEN CAST(s.Probability AS VARCHAR)
    ELSE s.ForecastCategory END AS new_value,
  l.replaced_at
FROM not_told_yet AS c
JOIN snapshot_rows AS s ON s.rowid = c.place
LEFT JOIN told_later AS l ON l.place = c.place AND l.field = c.field;

INSERT INTO all_changes
SELECT 'Opportunity', record_id, moment, actor, field, 'field', field, old_value, new_value, FALSE, 0, 'OpportunityHistory',
  source_id, replaced_at, 0, FALSE, hash(record_id, moment, field)
FROM untold;

INSERT INTO all_set_aside
SELECT 'OpportunityHistory', source_id, moment,
  CASE WHEN tells_change THEN 'told by field history' ELSE 'snapshot without a change' END
FROM snapshot_rows
WHERE NOT is_first AND source_id NOT IN (SELECT source_id FROM untold)
UNION ALL
SELECT 'OpportunityHistory', source_id, max(replaced_at), 'told by field history'
FROM untold
WHERE source_id NOT IN (SELECT source_id FROM all_first_snapshots)
GROUP BY source_id HAVING bool_and(replaced_at IS NOT NULL)
UNION ALL
SELECT 'OpportunityHistory', Id, CreatedDate, 'deleted row'
FROM OpportunityHistory
WHERE IsDeleted AND Id NOT IN (SELECT source_id FROM snapshot_rows);

-- 5. Rows of one record, second and field that stand side by side: what each of them is. All other rows stand alone.
CREATE OR REPLACE TEMP TABLE shared_rows AS
WITH
side_by_side AS (
  SELECT *, rowid AS place, coalesce(column_name, field) AS what
  FROM all_changes
  WHERE replaced_at IS NULL AND save IN (SELECT save FROM all_changes WHERE replaced_at IS NULL GROUP BY save HAVING count(*) > 1)
),
named AS (
  SELECT *,
    CASE WHEN kind = 'mark' AND column_name IS NOT NULL AND old_value IS NULL AND new_value IS NULL
        AND bool_or(old_value IS NOT NULL OR new_value IS NOT NULL) OVER one_save THEN 'mark beside the row that tells the values'
      WHEN form < max(form) OVER one_save THEN 'name row beside an Id row' END AS reason
  FROM side_by_side
  WINDOW one_save AS (PARTITION BY save, record_id, what)
)
SELECT place, save, root, record_id, moment, actor, field, what, column_name, form, old_value, new_value, source_table, source_id, reason
FROM named;

-- Of a change that is told twice, or by several words for a new owner, one row stays: the most telling word, then the first Id.
UPDATE shared_rows SET reason = 'repeats another row'
WHERE place IN (
  SELECT place
  FROM (FROM shared_rows WHERE reason IS NULL QUALIFY count(*) OVER (PARTITION BY save) > 1)
  QUALIFY row_number() OVER (PARTITION BY root, record_id, moment, what, old_value, new_value ORDER BY field = 'Owner', source_id) > 1
);

INSERT INTO all_set_aside SELECT source_table, source_id, moment, reason FROM shared_rows WHERE reason IS NOT NULL;
DELETE FROM all_changes WHERE rowid IN (SELECT place FROM shared_rows WHERE reason IS NOT NULL);

-- 6. The order of changes of one field in one second, which Salesforce does not keep: each old value is the new value before,
--    starting from the value in force; of the orders with the fewest breaks, the one in which the Ids come first.
CREATE OR REPLACE TEMP TABLE tied_rows AS
SELECT dense_rank() OVER (ORDER BY root, record_id, moment, what) AS tie,
  row_number() OVER (PARTITION BY root, record_id, moment, what ORDER BY source_table, source_id) AS nth,
  place, root, record_id, moment, what, old_value, new_value, source_table, source_id
FROM (
  FROM (FROM shared_rows WHERE reason IS NULL QUALIFY count(*) OVER (PARTITION BY save) > 1)
  QUALIFY count(*) OVER (PARTITION BY root, record_id, moment, what) > 1
);

CREATE OR REPLACE TEMP TABLE sequence AS
WITH RECURSIVE
before AS (  -- the value in force, unless several rows of the second before leave it open
  SELECT tie, any_value(new_value) AS value
  FROM (
    SELECT t.tie, h.moment, h.new_value, list(h.old_value) OVER (PARTITION BY t.tie, h.moment) AS old_values
    FROM (SELECT DISTINCT tie, root, record_id, moment, what FROM tied_rows) AS t
    JOIN all_changes AS h ON h.root = t.root AND h.record_id = t.record_id AND coalesce(h.column_name, h.field) = t.what
      AND h.moment < t.moment
    WHERE h.old_value IS DISTINCT FROM h.new_value AND h.replaced_at IS NULL
    QUALIFY rank() OVER (PARTITION BY t.tie ORDER BY h.moment DESC) = 1
  )
  WHERE NOT list_contains(old_values, new_value)
  GROUP BY tie
  HAVING count(*) = 1
),
walk (tie, path, value, breaks) AS (
  SELECT t.tie, [t.nth], t.new_value, CAST(b.tie IS NOT NULL AND b.value IS DISTINCT FROM t.old_value AS INTEGER)
  FROM tied_rows AS t
  LEFT JOIN before AS b USING (tie)
  UNION ALL
  (
    SELECT w.tie, list_append(w.path, t.nth), t.new_value, w.breaks + CAST(w.value IS DISTINCT FROM t.old_value AS INTEGER)
    FROM walk AS w
    JOIN tied_rows AS t ON t.tie = w.tie AND NOT list_contains(w.path, t.nth)
    QUALIFY row_number() OVER (PARTITION BY w.tie
      ORDER BY w.breaks + CAST(w.value IS DISTINCT FROM t.old_value AS INTEGER), list_append(w.path, t.nth)) <= 32
  )
),
best AS (
  SELECT DISTINCT ON (tie) tie, path FROM walk ORDER BY tie, len(path) DESC, breaks, path
)
SELECT t.place, list_position(b.path, t.nth) - 1 AS seq
FROM tied_rows AS t
JOIN best AS b USING (tie);

UPDATE all_changes SET seq = s.seq FROM sequence AS s WHERE all_changes.rowid = s.place AND s.seq > 0;

ALTER TABLE all_changes DROP COLUMN save;
ALTER TABLE all_changes DROP COLUMN deleted;
ALTER TABLE all_changes DROP COLUMN form;
DROP TABLE snapshot_rows;
DROP TABLE field_words;
