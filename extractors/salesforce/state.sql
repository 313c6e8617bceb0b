-- Records as they were at the moment. What histories tell after it is undone, newest to oldest; what follows from it follows.
-- From here on a table's bare name means its records at the moment; `as_of.<Table>` are the same records as they are today.
-- What no history tells stays as it is today: `state_unknown` names it, record by record. After the last change nothing is
-- undone and the tables pass through as they are.

-- 1. What each column was before its first change after the moment. `unknown`: columns that changed, and no value was kept.
CREATE OR REPLACE TEMP TABLE undone AS
WITH
first_place AS (  -- the first of a second is number 0 of it
  SELECT arg_min(rowid, moment) AS place
  FROM all_changes AS c
  WHERE moment > as_of() AND column_name IS NOT NULL AND seq = 0 AND replaced_at IS NULL
    AND NOT EXISTS (  -- a snapshot told it in time
      FROM all_changes AS s
      WHERE s.replaced_at = c.moment AND s.record_id = c.record_id AND s.column_name = c.column_name AND s.moment <= as_of())
  GROUP BY root, record_id, column_name
),
first_after AS (
  SELECT root, record_id, column_name, old_value, new_value, by_id
  FROM all_changes
  WHERE rowid IN (SELECT place FROM first_place)
),
owner_name AS (  -- histories may know owners by name alone: one that only one of them has finds them
  SELECT Name, any_value(Id) AS Id
  FROM (SELECT Id, Name FROM "User" UNION ALL SELECT Id, Name FROM "Group")
  WHERE Name IS NOT NULL
  GROUP BY Name
  HAVING count(*) = 1
),
valued AS (
  SELECT f.root, f.record_id, f.column_name,
    CASE WHEN ends_with(f.column_name, 'Id') AND NOT f.by_id THEN n.Id ELSE f.old_value END AS value,
    CASE WHEN f.old_value IS NULL THEN f.new_value IS NOT NULL
      ELSE f.by_id OR n.Id IS NOT NULL OR NOT ends_with(f.column_name, 'Id') END AS is_known
  FROM first_after AS f
  LEFT JOIN owner_name AS n ON n.Name = f.old_value AND f.column_name = 'OwnerId' AND NOT f.by_id
)
SELECT root, record_id,
  map_from_entries(list({'column': column_name, 'value': value} ORDER BY column_name) FILTER (is_known)) AS before,
  coalesce(list(column_name ORDER BY column_name) FILTER (NOT is_known), []) AS unknown
FROM valued
GROUP BY root, record_id;

-- Text of history in the type of the column; what does not read one way is left as it is today.
CREATE OR REPLACE TEMP MACRO undo_sql(of_table) AS (
  SELECT 'SELECT t.* REPLACE (' || string_agg(
      'CASE WHEN map_contains(u.before, ''' || column_name || ''') IS NOT TRUE THEN t."' || column_name || '" '
      || 'WHEN u.before[''' || column_name || '''] IS NULL THEN NULL '
      || 'ELSE coalesce(TRY_CAST(' || CASE WHEN data_type = 'DATE' THEN 'iso_date' ELSE '' END || '(u.before[''' || column_name
      || ''']) AS ' || data_type || '), t."' || column_name || '") END AS "' || column_name || '"', ', ' ORDER BY column_index)
    || ') FROM as_of."' || of_table || '" AS t LEFT JOIN undone AS u ON u.root = ''' || of_table || ''' AND u.record_id = t.Id'
  FROM duckdb_columns()
  WHERE database_name = current_database() AND schema_name = 'as_of' AND table_name = of_table
    AND column_name IN (SELECT unnest(map_keys(before)) FROM undone WHERE root = of_table)
);
CREATE OR REPLACE TEMP MACRO iso_date(value) AS CASE WHEN regexp_matches(value, '^\d{4}-\d{2}-\d{2}') THEN left(value, 10) END;
SET VARIABLE undo_account = (SELECT coalesce(undo_sql('Account'), 'FROM as_of.Account'));
SET VARIABLE undo_lead = (SELECT coalesce(undo_sql('Lead'), 'FROM as_of.Lead'));
SET VARIABLE undo_opportunity = (SELECT coalesce(undo_sql('Opportunity'), 'FROM as_of.Opportunity'));
SET VARIABLE undo_case = (SELECT coalesce(undo_sql('Case'), 'FROM as_of."Case"'));

-- What was known by the moment, and whether a record was deleted by then: its last change is the latest that can have been.
CREATE OR REPLACE TEMP MACRO known(value, since) AS CASE WHEN since > as_of() THEN NULL ELSE value END;
CREATE OR REPLACE TEMP MACRO known_deleted(deleted, since) AS CASE WHEN since > as_of() THEN deleted AND FALSE ELSE deleted END;

-- 2. The records that were not what they are today.
CREATE OR REPLACE TEMP TABLE account_before AS
SELECT a.* REPLACE (
  known_deleted(a.IsDeleted, coalesce(m.moment, a.SystemModstamp, a.LastModifiedDate)) AS IsDeleted,
  known(a.MasterRecordId, m.moment) AS MasterRecordId,
  known(a.LastModifiedById, a.LastModifiedDate) AS LastModifiedById,
  known(a.LastModifiedDate, a.LastModifiedDate) AS LastModifiedDate,
  known(a.SystemModstamp, a.SystemModstamp) AS SystemModstamp)
FROM query(getvariable('undo_account')) AS a
LEFT JOIN all_merges AS m ON m.root = 'Account' AND m.loser_id = a.Id
WHERE greatest(a.LastModifiedDate, a.SystemModstamp, m.moment) > as_of()
  OR a.Id IN (SELECT record_id FROM undone WHERE root = 'Account');

CREATE OR REPLACE TEMP TABLE lead_before AS
SELECT l.* REPLACE (
  CASE WHEN c.moment > as_of() THEN l.IsConverted AND FALSE ELSE l.IsConverted END AS IsConverted,
  known(l.ConvertedDate, c.moment) AS ConvertedDate,
  known(l.ConvertedAccountId, c.moment) AS ConvertedAccountId,
  known(l.ConvertedContactId, c.moment) AS ConvertedContactId,
  known(l.ConvertedOpportunityId, c.moment) AS ConvertedOpportunityId,
  known(l.FirstCallDateTime, l.FirstCallDateTime) AS FirstCallDateTime,
  known(l.FirstEmailDateTime, l.FirstEmailDateTime) AS FirstEmailDateTime,
  known(l.EmailBouncedDate, l.EmailBouncedDate) AS EmailBouncedDate,
  known_deleted(l.IsDeleted, coalesce(m.moment, l.SystemModstamp, l.LastModifiedDate)) AS IsDeleted,
  known(l.MasterRecordId, m.moment) AS MasterRecordId,
  known(l.LastModifiedById, l.LastModifiedDate) AS LastModifiedById,
  known(l.LastModifiedDate, l.LastModifiedDate) AS LastModifiedDate,
  known(l.SystemModstamp, l.SystemModstamp) AS SystemModstamp)
FROM query(getvariable('undo_lead')) AS l
LEFT JOIN conversions AS c ON c.lead_id = l.Id
LEFT JOIN all_merges AS m ON m.root = 'Lead' AND m.loser_id = l.Id
WHERE greatest(l.LastModifiedDate, l.SystemModstamp, c.moment, m.moment, l.FirstCallDateTime, l.FirstEmailDateTime,
    l.EmailBouncedDate) > as_of()
  OR l.Id IN (SELECT record_id FROM undone WHERE root = 'Lead');

-- A stage tells whether it is closed and won, and where nothing else does, its usual probability and forecast category.
CREATE OR REPLACE TEMP TABLE opportunity_before AS
WITH
last_move AS (
  SELECT record_id, max(moment) AS moment FROM changes WHERE root = 'Opportunity' AND column_name = 'StageName' GROUP BY record_id
),
staged AS (
  SELECT o.*, map_contains(u.before, 'StageName') IS TRUE AS moved_later,
    map_contains(u.before, 'IsClosed') IS TRUE AS closed_told, map_contains(u.before, 'IsWon') IS TRUE AS won_told,
    map_contains(u.before, 'Probability') IS TRUE AS probability_told,
    map_contains(u.before, 'Amount') IS TRUE AS amount_told,
    map_contains(u.before, 'ForecastCategory') IS TRUE AS category_told,
    map_contains(u.before, 'ForecastCategoryName') IS TRUE AS category_name_told,
    coalesce(n.is_closed, f.is_closed) AS stage_closed, coalesce(n.is_won, f.is_won) AS stage_won,
    s.DefaultProbability AS stage_probability, s.ForecastCategory AS stage_category, s.ForecastCategoryName AS stage_category_name,
    m.moment AS last_move
  FROM query(getvariable('undo_opportunity')) AS o
  LEFT JOIN undone AS u ON u.root = 'Opportunity' AND u.record_id = o.Id
  LEFT JOIN RecordType AS t ON t.Id = o.RecordTypeId
  LEFT JOIN stage_meaning AS n ON n.root = 'Opportunity' AND n.record_type = coalesce(t.DeveloperName, '')
    AND n.value = o.StageName AND n.since <= as_of() AND n.until > as_of()
  LEFT JOIN value_flags AS f ON f.root = 'Opportunity' AND f.value = o.StageName
  LEFT JOIN OpportunityStage AS s ON s.ApiName = o.StageName
  LEFT JOIN last_move AS m ON m.record_id = o.Id
  WHERE greatest(o.LastModifiedDate, o.SystemModstamp, o.LastStageChangeDate) > as_of() OR u.record_id IS NOT NULL
),
valued AS (
  SELECT * REPLACE (
    CASE WHEN IsClosed IS NOT NULL AND moved_later AND NOT closed_told THEN stage_closed ELSE IsClosed END AS IsClosed,
    CASE WHEN IsWon IS NOT NULL AND moved_later AND NOT won_told THEN stage_won ELSE IsWon END AS IsWon,
    CASE WHEN Probability IS NOT NULL AND moved_later AND NOT probability_told THEN stage_probability ELSE Probability END
      AS Probability,
    CASE WHEN ForecastCategory IS NULL OR category_told THEN ForecastCategory
      WHEN category_name_told THEN plain_value('ForecastCategory', ForecastCategoryName)
      WHEN moved_later THEN stage_category ELSE ForecastCategory END AS ForecastCategory,
    CASE WHEN ForecastCategoryName IS NULL OR category_name_told THEN ForecastCategoryName
      WHEN category_told THEN CASE ForecastCategory WHEN 'Forecast' THEN 'Commit' WHEN 'BestCase' THEN 'Best Case'
        WHEN 'MostLikely' THEN 'Most Likely' ELSE ForecastCategory END
      WHEN moved_later THEN stage_category_name ELSE ForecastCategoryName END AS ForecastCategoryName,
    CASE WHEN LastStageChangeDate > as_of() THEN last_move ELSE LastStageChangeDate END AS LastStageChangeDate,
    known_deleted(IsDeleted, coalesce(SystemModstamp, LastModifiedDate)) AS IsDeleted,
    known(LastModifiedById, LastModifiedDate) AS LastModifiedById,
    known(LastModifiedDate, LastModifiedDate) AS LastModifiedDate,
    known(SystemModstamp, SystemModstamp) AS SystemModstamp)
  FROM staged
)
SELECT * EXCLUDE (moved_later, closed_told, won_told, probability_told, amount_told, category_told, category_name_told,
    stage_closed, stage_won, stage_probability, stage_category, stage_category_name, last_move)
  REPLACE (CASE WHEN ExpectedRevenue IS NOT NULL AND (amount_told OR probability_told OR moved_later)
    THEN Amount * Probability / 100 ELSE ExpectedRevenue END AS ExpectedRevenue)
FROM valued;

-- A case that was closed by the moment was closed at its last closing by then.
CREATE OR REPLACE TEMP TABLE case_before AS
WITH
moved AS (
  SELECT c.*, map_contains(u.before, 'Status') IS TRUE AS moved_later, map_contains(u.before, 'IsClosed') IS TRUE AS closed_told,
    coalesce(t.DeveloperName, '') AS record_type, c.ClosedDate > as_of() AS closed_later
  FROM query(getvariable('undo_case')) AS c
  LEFT JOIN undone AS u ON u.root = 'Case' AND u.record_id = c.Id
  LEFT JOIN RecordType AS t ON t.Id = c.RecordTypeId
  LEFT JOIN all_merges AS m ON m.root = 'Case' AND m.loser_id = c.Id
  WHERE greatest(c.LastModifiedDate, c.SystemModstamp, c.ClosedDate, m.moment) > as_of() OR u.record_id IS NOT NULL
),
closing AS (
  SELECT c.record_id, max(c.moment) AS moment
  FROM changes AS c
  JOIN moved AS k ON k.Id = c.record_id
  LEFT JOIN stage_meaning AS n ON n.root = 'Case' AND n.record_type = k.record_type AND n.value = c.new_value
    AND c.moment >= n.since AND c.moment < n.until
  LEFT JOIN stage_meaning AS o ON o.root = 'Case' AND o.record_type = k.record_type AND o.value = c.old_value
    AND c.moment >= o.since AND c.moment < o.until
  WHERE c.root = 'Case'
    AND (c.field = 'closed' OR (c.column_name = 'Status' AND n.is_closed AND o.is_closed IS NOT TRUE))
  GROUP BY c.record_id
),
meant AS (
  SELECT k.*, g.moment AS last_closing,
    CASE WHEN k.closed_told OR k.IsClosed IS NULL THEN k.IsClosed WHEN k.moved_later THEN coalesce(n.is_closed, f.is_closed)
      WHEN k.closed_later THEN FALSE ELSE k.IsClosed END AS was_closed,
    CASE WHEN k.IsClosed IS NULL AND k.moved_later THEN coalesce(n.is_closed, f.is_closed) END AS meant_closed,
    -- a status that means closed came with a closing after the moment: which it was before, nothing tells
    k.closed_later AND NOT k.moved_later AND coalesce(n.is_closed, f.is_closed, FALSE) AS came_later
  FROM moved AS k
  LEFT JOIN stage_meaning AS n ON n.root = 'Case' AND n.record_type = k.record_type AND n.value = k.Status
    AND n.since <= as_of() AND n.until > as_of()
  LEFT JOIN value_flags AS f ON f.root = 'Case' AND f.value = k.Status
  LEFT JOIN closing AS g ON g.record_id = k.Id
)
SELECT k.* EXCLUDE (moved_later, closed_told, record_type, closed_later, last_closing, was_closed, meant_closed, came_later)
  REPLACE (
    CASE WHEN k.came_later AND k.was_closed IS NOT TRUE THEN NULL ELSE k.Status END AS Status,
    k.was_closed AS IsClosed,
    CASE WHEN coalesce(k.was_closed, k.meant_closed, NOT k.closed_later) THEN CASE
        WHEN NOT k.moved_later AND NOT coalesce(k.closed_later, FALSE) THEN k.ClosedDate
        ELSE coalesce(k.last_closing, CASE WHEN k.IsClosedOnCreate THEN k.CreatedDate END, known(k.ClosedDate, k.ClosedDate)) END
      WHEN k.closed_later OR k.moved_later THEN NULL
      ELSE k.ClosedDate END AS ClosedDate,
    known_deleted(k.IsDeleted, coalesce(m.moment, k.SystemModstamp, k.LastModifiedDate)) AS IsDeleted,
    known(k.MasterRecordId, m.moment) AS MasterRecordId,
    known(k.LastModifiedById, k.LastModifiedDate) AS LastModifiedById,
    known(k.LastModifiedDate, k.LastModifiedDate) AS LastModifiedDate,
    known(k.SystemModstamp, k.SystemModstamp) AS SystemModstamp)
FROM meant AS k
LEFT JOIN all_merges AS m ON m.root = 'Case' AND m.loser_id = k.Id;

CREATE OR REPLACE TEMP VIEW Account AS
SELECT a.* FROM as_of.Account AS a ANTI JOIN account_before AS b ON b.Id = a.Id UNION ALL BY NAME FROM account_before;
CREATE OR REPLACE TEMP VIEW Lead AS
SELECT l.* FROM as_of.Lead AS l ANTI JOIN lead_before AS b ON b.Id = l.Id UNION ALL BY NAME FROM lead_before;
CREATE OR REPLACE TEMP VIEW Opportunity AS
SELECT o.* FROM as_of.Opportunity AS o ANTI JOIN opportunity_before AS b ON b.Id = o.Id UNION ALL BY NAME FROM opportunity_before;
CREATE OR REPLACE TEMP VIEW "Case" AS
SELECT c.* FROM as_of."Case" AS c ANTI JOIN case_before AS b ON b.Id = c.Id UNION ALL BY NAME FROM case_before;

-- 3. Tables without histories: work was not done before it was completed, and nothing was deleted before its last change.
CREATE OR REPLACE TEMP VIEW Task AS
SELECT * REPLACE (
  known(CompletedDateTime, CompletedDateTime) AS CompletedDateTime,
  CASE WHEN CompletedDateTime > as_of() THEN FALSE ELSE IsClosed END AS IsClosed,
  known_deleted(IsDeleted, coalesce(SystemModstamp, LastModifiedDate)) AS IsDeleted,
  known(LastModifiedById, LastModifiedDate) AS LastModifiedById, known(LastModifiedDate, LastModifiedDate) AS LastModifiedDate,
  known(SystemModstamp, SystemModstamp) AS SystemModstamp)
FROM as_of.Task;

CREATE OR REPLACE TEMP VIEW CaseMilestone AS
SELECT * REPLACE (
  known(CompletionDate, CompletionDate) AS CompletionDate,
  CASE WHEN CompletionDate > as_of() THEN FALSE ELSE IsCompleted END AS IsCompleted,
  known_deleted(IsDeleted, coalesce(SystemModstamp, LastModifiedDate)) AS IsDeleted,
  known(LastModifiedById, LastModifiedDate) AS LastModifiedById, known(LastModifiedDate, LastModifiedDate) AS LastModifiedDate,
  known(SystemModstamp, SystemModstamp) AS SystemModstamp)
FROM as_of.CaseMilestone;

CREATE OR REPLACE TEMP VIEW Contact AS
SELECT c.* REPLACE (
  known_deleted(c.IsDeleted, coalesce(m.moment, c.SystemModstamp, c.LastModifiedDate)) AS IsDeleted,
  known(c.MasterRecordId, m.moment) AS MasterRecordId,
  known(c.LastModifiedById, c.LastModifiedDate) AS LastModifiedById,
  known(c.LastModifiedDate, c.LastModifiedDate) AS LastModifiedDate, known(c.SystemModstamp, c.SystemModstamp) AS SystemModstamp)
FROM as_of.Contact AS c
LEFT JOIN all_merges AS m ON m.root = 'Contact' AND m.loser_id = c.Id;

-- Whatever else can be deleted, alike.
CREATE OR REPLACE TEMP MACRO undelete_sql(of_table) AS
  'SELECT * REPLACE (known_deleted(IsDeleted, coalesce(SystemModstamp, LastModifiedDate)) AS IsDeleted, '
  || 'known(LastModifiedById, LastModifiedDate) AS LastModifiedById, known(LastModifiedDate, LastModifiedDate) AS LastModifiedDate, '
  || 'known(SystemModstamp, SystemModstamp) AS SystemModstamp) FROM as_of."' || of_table || '"';
CREATE OR REPLACE TEMP VIEW Event AS FROM query(undelete_sql('Event'));
CREATE OR REPLACE TEMP VIEW Quote AS FROM query(undelete_sql('Quote'));
CREATE OR REPLACE TEMP VIEW OpportunityLineItem AS FROM query(undelete_sql('OpportunityLineItem'));
CREATE OR REPLACE TEMP VIEW CampaignMember AS FROM query(undelete_sql('CampaignMember'));
CREATE OR REPLACE TEMP VIEW Campaign AS FROM query(undelete_sql('Campaign'));
CREATE OR REPLACE TEMP VIEW ProcessInstance AS FROM query(undelete_sql('ProcessInstance'));
CREATE OR REPLACE TEMP VIEW EmailMessage AS FROM query(undelete_sql('EmailMessage'));
CREATE OR REPLACE TEMP VIEW CaseComment AS FROM query(undelete_sql('CaseComment'));
CREATE OR REPLACE TEMP VIEW Solution AS FROM query(undelete_sql('Solution'));
CREATE OR REPLACE TEMP VIEW CaseSolution AS
SELECT * REPLACE (
  known_deleted(IsDeleted, SystemModstamp) AS IsDeleted, known(SystemModstamp, SystemModstamp) AS SystemModstamp)
FROM as_of.CaseSolution;

-- 4. What is known only as it is today. A record unchanged since the moment is known; of others, what never changes, what a
--    history tells that was kept by then, and what follows from that. Sums, ages and what is worked out on reading move
--    without a change of the record (`floats`).
CREATE OR REPLACE TEMP TABLE columns_unknown AS
WITH
follows (table_name, column_name, comes_from) AS (
  VALUES ('Opportunity', 'IsClosed', 'StageName'), ('Opportunity', 'IsWon', 'StageName'),
    ('Opportunity', 'LastStageChangeDate', 'StageName'), ('Opportunity', 'ForecastCategory', 'ForecastCategoryName'),
    ('Opportunity', 'ForecastCategoryName', 'ForecastCategory'), ('Case', 'IsClosed', 'Status'), ('Case', 'ClosedDate', 'Status')
),
told (table_name, column_name) AS (
  VALUES ('Lead', 'IsConverted'), ('Lead', 'ConvertedDate'), ('Lead', 'ConvertedOpportunityId'), ('Task', 'CompletedDateTime'),
    ('CaseMilestone', 'CompletionDate'), ('CaseMilestone', 'IsCompleted')
)
SELECT c.table_name AS "table", list(c.column_name ORDER BY c.column_name) AS columns,
  list(c.column_name ORDER BY c.column_name) FILTER (
    c.column_name IN ('LastActivityDate', 'IsArchived', 'HasOpenActivity', 'HasOverdueTask', 'TimesUsed', 'IsViolated', 'MilestoneStatus')
    OR regexp_matches(c.column_name, '^(NumberOf|AmountAll|AmountWon|ElapsedTime|StoppedTime|ActualElapsedTime)')
      AND c.column_name <> 'NumberOfEmployees') AS floats
FROM duckdb_columns() AS c
LEFT JOIN follows AS f ON f.table_name = c.table_name AND f.column_name = c.column_name
WHERE c.database_name = current_database() AND c.schema_name = 'as_of'
  AND c.column_name NOT IN ('Id', 'CreatedDate', 'CreatedById', 'IsDeleted', 'MasterRecordId', 'CaseNumber', 'IsClosedOnCreate')
  AND (c.table_name, c.column_name) NOT IN (FROM told)
  AND NOT EXISTS (FROM coverage AS k WHERE k.root = c.table_name AND k.field IN (c.column_name, f.comes_from) AND k.since <= as_of())
GROUP BY c.table_name;

SET VARIABLE stamped_records = (
  SELECT string_agg('SELECT ''' || table_name || ''' AS "table", Id, ' || stamps || ' AS changed FROM as_of."' || table_name || '"',
    ' UNION ALL ' ORDER BY table_name)
  FROM (
    SELECT table_name, 'coalesce(' || string_agg(column_name, ', ' ORDER BY column_name DESC) || ')' AS stamps
    FROM duckdb_columns()
    WHERE database_name = current_database() AND schema_name = 'as_of' AND column_name IN ('SystemModstamp', 'LastModifiedDate')
      AND table_name NOT IN ('OpportunityHistory', 'CaseSolution')  -- their rows never change
    GROUP BY table_name
  )
);
CREATE OR REPLACE TEMP VIEW state_unknown AS
SELECT r."table", r.Id,
  CASE WHEN r.changed <= as_of() THEN k.floats WHEN coalesce(len(u.unknown), 0) = 0 THEN k.columns
    ELSE list_sort(list_distinct(list_concat(k.columns, u.unknown))) END AS columns
FROM query(getvariable('stamped_records')) AS r
JOIN columns_unknown AS k ON k."table" = r."table"
LEFT JOIN undone AS u ON u.root = r."table" AND u.record_id = r.Id
WHERE as_of() < coalesce(getvariable('clock'), TIMESTAMPTZ 'infinity')
  AND (k.floats IS NOT NULL OR coalesce(r.changed > as_of(), TRUE));
