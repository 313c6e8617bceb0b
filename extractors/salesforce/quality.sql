-- What is odd about the data, what that does to figures and what was done about it. Runs after the files of [sql] shared,
-- and only when somebody asks. Table `findings`: root (whose process it concerns; null: all), table, finding, rows (always
-- more than 0), examples (three Ids, sorted), effect, done, weight (3: figures may be wrong; 2: a bound or a guess stands
-- in; 1: repaired, figures are right).

-- What is said of each; '{}' is a detail that the data gives.
CREATE OR REPLACE TEMP TABLE finding_words AS
FROM (VALUES
  ('broken chain', 3, 'broken chain: the old value is not the new value of the change before',
    'a change is missing: steps, rework and times in a stage around the gap are too few or too long',
    'both changes kept as told; nothing invented between them'),
  ('against today', 3, 'the last value told is not that of the record today',
    'a change is missing, or the value was renamed: what happened last may not be in the log',
    'the history counts for events, the record for what it is now'),
  ('disagreement', 3, 'both histories of opportunities tell a change within five seconds, but not the same',
    'one of the two is wrong: stage, amount or close date at that moment may be',
    'both are events, each with its source'),
  ('only snapshot', 2, 'a snapshot shows a change that field history, though kept by then, does not tell',
    'none, where field history missed it; one change too many, where the snapshot is wrong',
    'the snapshot tells the event'),
  ('copy', 1, 'exact copy of another row under another Id', 'none: it would count as rework', 'one of the copies counts'),
  ('name row', 1, 'name row beside an Id row of the same change', 'none: it would count every change twice', 'the Id row counts'),
  ('same value', 1, 'old and new value are the same', 'none: nothing changed', 'left out of the log'),
  ('no values', 1, 'long text: changed, values not kept', 'that it changed is known, not from what to what',
    'an event without values'),
  ('name alone', 2, 'a look-up is told by name alone',
    'a name that several share, or that changed since, finds nobody: segments by owner may say unknown',
    'matched to the one user or queue of that name, else kept as the name'),
  ('older than record', 3, 'history older than the record itself', 'times since the creation are negative or too short', 'kept as told'),
  ('back-dated', 3, 'created more than a year before any history is kept, without a row of its creation (migrated, back-dated, or older than the history)',
    'ages and times since the creation are too long if the record was migrated; its early steps are not known',
    'creation as the record says; the case is marked truncated'),
  ('no creation row', 1, 'no row of its creation, though history was kept by then', 'none: the record tells its creation itself',
    'creation taken from the record'),
  ('before its time', 3, 'stamped before 1999, when there was no Salesforce', 'ages and durations are absurd', 'kept as told'),
  ('ends before it begins', 3, '{} lies before the creation', 'durations come out negative or as nothing', 'kept as told'),
  ('far ahead', 2, '{} lies more than five years ahead', 'none for what is done; what is planned for then never falls due',
    'no event before its time has come'),
  ('sent ahead', 1, 'MessageDate lies more than a day after the message was recorded', 'none: the sender''s clock is not read',
    'the message happened when it was recorded'),
  ('tie', 2, 'several changes of one field in one second, whose order Salesforce does not keep',
    'steps of one second may stand in another order than they were taken',
    'ordered so that each old value is the new value before; where that leaves a choice, by Id'),
  ('mass close', 3, 'mass closing: one user closed 20 records or more within a minute ({})',
    'closings, win rates and times to close of that day say when somebody tidied up, not when work ended',
    'kept as told: they are events like any other'),
  ('bulk update', 2, 'bulk update: one user changed 20 records or more within a minute ({})',
    'activity, rework and times of that day show a machine or a migration, not work',
    'kept as told: they are events like any other'),
  ('bulk creation', 2, 'created in bulk: 20 records or more by one user within a minute ({})',
    'inflow of that day is an import; times since the creation may be those of another system', 'kept as told'),
  ('month end', 2, 'closings pile up on the last two days of months ({})',
    'times to close are stretched or cut to the calendar', 'kept as told'),
  ('unknown value', 3, 'stages or statuses in history that no list explains: {}',
    'such steps have no direction, and whether they close is told by the records that have the value, else taken as open',
    'kept as activities under their names; state them under [stages], old names included'),
  ('unknown value today', 3, 'records in a stage or status that no list explains: {}',
    'the record''s own flags, if there are any, say whether they are open', 'kept; state them under [stages]'),
  ('retired value', 1, 'changes into a stage that is no longer in use: {}', 'none: passing it is no skip', 'ranked half-way'),
  ('order of today', 2, 'the order of stages or statuses is known only as it is today',
    'where it was changed since, advances, skips and regressions of the past are judged by the new one',
    'today''s order taken for all times; state lists with since and until under [stages]'),
  ('merged', 1, 'merged into another record', 'none: merged records count once', 'what happened to them belongs to the record that lives on'),
  ('merge estimated', 2, 'merged, but nothing tells when', 'the merge may show later than it was',
    'dated by the last change of the record that was given up'),
  ('merged in a circle', 3, 'merged in a circle: none of the records lives on', 'they count as separate cases', 'left as they are'),
  ('deleted', 1, 'deleted (in the recycle bin)', 'they count in no figure, as in the CRM''s own reports', 'left out with their rows'),
  ('unconverted', 3, 'amounts without a rate into the reporting currency: {}', 'sums in it are too low by them', 'left empty (null)'),
  ('rate fault', 2, 'exchange rates: {}', 'amounts of those days convert by a neighbouring rate or not at all', 'as the finding says'),
  ('coverage', 2, 'created before history is known to be kept, by an estimate: since {}',
    'their early steps may be missing', 'the first row stands for the beginning; state it under [tracking]'),
  ('retention', 1, 'created before history is kept: since {}', 'their early steps are missing', 'the cases are marked truncated'),
  ('tracked late', 2, 'fields whose changes begin much later than others: {}',
    'records created before then seem never to have changed in them', 'tracked since the first row, by estimate; state it under [tracking]'),
  ('only now', 2, 'known only as they are today, not as of the moment: {}',
    'segments and values by these columns show what came later', 'marked in not_as_of; taken as they are today'),
  ('direction unknown', 2, 'calls and e-mails of which nothing tells whether they came in or went out',
    'outbound and inbound touches are too few by them', 'a class of their own: Call, Email'),
  ('day only', 2, 'touches of which only the day is known', 'times to a touch are too long by up to a day', 'the end of that day, marked date_only'),
  ('undated', 2, 'done, but not when', 'times to a touch are too short where it was logged before it was done',
    'dated by its creation, or by its due day where that came later'),
  ('given back', 1, 'touches that conversion moved off the lead', 'none: the lead''s touches count for the lead',
    'recovered through the contact and the times'),
  ('automated', 1, 'made by programs, not people: {}', 'none on human touches; events and rework hold them',
    'told apart by the user: automated touches are an activity of their own'),
  ('unknown user', 2, 'made by users of whom nothing tells whether they are people', 'human work may be too much by them', 'taken as people; state [people] automated'),
  ('conversion undated', 2, 'converted leads of which only the day is known', 'times to conversion are too long by up to a day',
    'the end of ConvertedDate, not after the last change, marked date_only'),
  ('person account', 1, 'accounts that are people', 'none: the contact behind each is no added contact', 'counted as accounts'),
  ('stale flag', 1, 'milestones whose IsViolated is not what their dates say', 'none: the flag is not read', 'violations recomputed from target and completion')
) AS words (what, weight, finding, effect, done);

CREATE OR REPLACE TEMP MACRO root_of(of_table) AS CASE of_table WHEN 'AccountHistory' THEN 'Account' WHEN 'LeadHistory' THEN 'Lead'
  WHEN 'CaseHistory' THEN 'Case' WHEN 'OpportunityFieldHistory' THEN 'Opportunity' WHEN 'OpportunityHistory' THEN 'Opportunity' END;
-- At most five words, the others counted.
CREATE OR REPLACE TEMP MACRO some_of(words) AS array_to_string(list_slice(list_sort(words), 1, 5), ', ')
  || CASE WHEN len(words) > 5 THEN ' and ' || (len(words) - 5) || ' more' ELSE '' END;

-- What the histories tell by the moment, and the records whose histories they are.
CREATE OR REPLACE TEMP VIEW told AS
SELECT * EXCLUDE replaced_at FROM all_changes WHERE moment <= as_of() AND coalesce(replaced_at > as_of(), TRUE);
CREATE OR REPLACE TEMP VIEW told_records AS
SELECT 'Account' AS root, Id, CreatedDate, CreatedById, IsDeleted, MasterRecordId, NULL AS status FROM Account
UNION ALL SELECT 'Lead', Id, CreatedDate, CreatedById, IsDeleted, MasterRecordId, Status FROM Lead
UNION ALL SELECT 'Opportunity', Id, CreatedDate, CreatedById, IsDeleted, NULL, StageName FROM Opportunity
UNION ALL SELECT 'Case', Id, CreatedDate, CreatedById, IsDeleted, MasterRecordId, Status FROM "Case";

-- The rows of field histories; those with the same content are copies.
CREATE OR REPLACE TEMP VIEW field_rows AS
SELECT 'AccountHistory' AS source_table, Id, CreatedDate,
  hash('Account', AccountId, CreatedDate, CreatedById, Field, DataType, OldValue, NewValue) AS content FROM AccountHistory
UNION ALL
SELECT 'LeadHistory', Id, CreatedDate, hash('Lead', LeadId, CreatedDate, CreatedById, Field, DataType, OldValue, NewValue)
FROM LeadHistory
UNION ALL
SELECT 'OpportunityFieldHistory', Id, CreatedDate,
  hash('Opportunity', OpportunityId, CreatedDate, CreatedById, Field, DataType, OldValue, NewValue) FROM OpportunityFieldHistory
UNION ALL
SELECT 'CaseHistory', Id, CreatedDate, hash('Case', CaseId, CreatedDate, CreatedById, Field, DataType, OldValue, NewValue)
FROM CaseHistory;

-- 1. Histories.
CREATE OR REPLACE TEMP VIEW history_noticed AS
SELECT CASE kind WHEN 'inside the chain' THEN 'broken chain' ELSE 'against today' END AS what, root, source_table AS "table",
  count(*) AS "rows", min(source_id, 3) AS examples, NULL::VARCHAR AS detail
FROM all_breaks WHERE moment <= as_of() GROUP BY ALL
UNION ALL
SELECT CASE WHEN history_id IS NULL THEN 'only snapshot' ELSE 'disagreement' END AS what, 'Opportunity', 'OpportunityHistory',
  count(*), min(DISTINCT snapshot_id, 3), NULL
FROM all_disagreements WHERE moment <= as_of() GROUP BY what
UNION ALL
SELECT CASE reason WHEN 'name row beside an Id row' THEN 'name row' ELSE 'same value' END, root_of(source_table), source_table,
  count(*), min(source_id, 3), NULL
FROM set_aside WHERE reason IN ('name row beside an Id row', 'old and new value are the same') GROUP BY ALL
UNION ALL
SELECT 'copy', root_of(source_table), source_table, count(*), min(Id, 3), NULL
FROM (
  FROM field_rows WHERE content IN (SELECT content FROM field_rows GROUP BY content HAVING count(*) > 1)
  QUALIFY row_number() OVER (PARTITION BY content ORDER BY Id) > 1
)
GROUP BY ALL
UNION ALL
SELECT 'tie', root, source_table, count(*), min(source_id, 3), NULL
FROM told AS t
SEMI JOIN (SELECT root, record_id, moment, coalesce(column_name, field) AS what FROM told WHERE seq > 0) AS s
  ON s.root = t.root AND s.record_id = t.record_id AND s.moment = t.moment AND s.what = coalesce(t.column_name, t.field)
GROUP BY ALL
UNION ALL
SELECT CASE WHEN coalesce(old_value, new_value) IS NULL THEN 'no values' ELSE 'name alone' END AS what, root, source_table,
  count(*), min(source_id, 3), NULL
FROM told
WHERE (kind = 'field' AND field <> 'IsClosedOnCreate' AND old_value IS NULL AND new_value IS NULL)
  OR (ends_with(column_name, 'Id') AND NOT by_id AND coalesce(old_value, new_value) IS NOT NULL)
GROUP BY ALL
UNION ALL
SELECT 'older than record', t.root, t.source_table, count(*), min(t.source_id, 3), NULL
FROM told AS t
JOIN told_records AS r ON r.root = t.root AND r.Id = t.record_id AND t.moment < r.CreatedDate - INTERVAL '1 minute'
GROUP BY ALL;

-- 2. Records: how they began, whether they still stand.
CREATE OR REPLACE TEMP VIEW record_noticed AS
WITH
start AS (SELECT root_of(source_table) AS root, min(CreatedDate) AS since FROM field_rows GROUP BY root),
marked AS (
  SELECT DISTINCT root, record_id FROM told
  WHERE field IN ('created', 'accountCreatedFromLead', 'opportunityCreatedFromLead')
)
SELECT CASE WHEN r.CreatedDate >= s.since THEN 'no creation row' ELSE 'back-dated' END AS what, r.root, r.root AS "table",
  count(*) AS "rows", min(r.Id, 3) AS examples, NULL::VARCHAR AS detail
FROM told_records AS r
JOIN start AS s ON s.root = r.root
ANTI JOIN marked AS m ON m.root = r.root AND m.record_id = r.Id
WHERE r.CreatedDate >= s.since OR r.CreatedDate < s.since - INTERVAL '1 year'
GROUP BY ALL
UNION ALL
SELECT 'before its time', root, root, count(*), min(Id, 3), NULL FROM told_records
WHERE CreatedDate < TIMESTAMPTZ '1999-01-01 00:00:00+00' GROUP BY ALL
UNION ALL
SELECT 'before its time', root, source_table, count(*), min(source_id, 3), NULL FROM told
WHERE moment < TIMESTAMPTZ '1999-01-01 00:00:00+00' GROUP BY ALL
UNION ALL
SELECT 'deleted', root, root, count(*), min(Id, 3), NULL FROM told_records
WHERE IsDeleted AND (root, Id) NOT IN (SELECT (root, loser_id) FROM merges) GROUP BY ALL
UNION ALL
SELECT CASE WHEN estimated THEN 'merge estimated' ELSE 'merged' END, root, root, count(*), min(loser_id, 3), NULL
FROM merges GROUP BY ALL
UNION ALL
SELECT 'merged in a circle', root, root, count(*), min(loser_id, 3), NULL FROM all_merges
WHERE coalesce(moment <= as_of(), TRUE) AND (root, loser_id) NOT IN (SELECT (root, loser_id) FROM merges) GROUP BY ALL
UNION ALL
SELECT 'person account', 'Account', 'Account', count(*), min(Id, 3), NULL FROM Account
WHERE (IsPersonAccount OR PersonContactId IS NOT NULL) AND IsDeleted IS NOT TRUE
UNION ALL
SELECT 'conversion undated', 'Lead', 'Lead', count(*), min(lead_id, 3), NULL FROM conversions
WHERE date_only AND moment <= as_of() AND lead_id IN (SELECT Id FROM Lead WHERE IsDeleted IS NOT TRUE)
UNION ALL
SELECT 'stale flag', 'Case', 'CaseMilestone', count(*), min(Id, 3), NULL FROM CaseMilestone
WHERE IsDeleted IS NOT TRUE AND TargetDate <= as_of() AND NOT (IsCompleted IS TRUE AND CompletionDate IS NULL)
  AND IsViolated <> coalesce(CompletionDate > TargetDate, TRUE)
  AND coalesce(SystemModstamp, LastModifiedDate, as_of()) <= as_of();

-- 3. Times that cannot be.
CREATE OR REPLACE TEMP VIEW time_noticed AS
WITH
ended (root, "table", Id, of_column) AS (
  SELECT 'Case', 'Case', Id, 'ClosedDate' FROM "Case" WHERE ClosedDate < CreatedDate - INTERVAL '1 minute'
  UNION ALL SELECT 'Lead', 'Lead', Id, 'ConvertedDate' FROM Lead WHERE ConvertedDate < local_day(CreatedDate) - 1
  UNION ALL SELECT NULL, 'Task', Id, 'CompletedDateTime' FROM Task WHERE CompletedDateTime < CreatedDate - INTERVAL '1 minute'
  UNION ALL SELECT 'Case', 'CaseMilestone', Id, 'CompletionDate' FROM CaseMilestone WHERE CompletionDate < StartDate
),
planned (root, "table", Id, of_column, moment) AS (
  SELECT NULL, 'Task', Id, 'ActivityDate', ActivityDate::TIMESTAMPTZ FROM Task
  UNION ALL
  SELECT NULL, 'Event', Id, 'StartDateTime', coalesce(StartDateTime, ActivityDateTime, ActivityDate::TIMESTAMPTZ) FROM Event
  UNION ALL SELECT 'Opportunity', 'Opportunity', Id, 'CloseDate', CloseDate::TIMESTAMPTZ FROM Opportunity
  UNION ALL SELECT 'Opportunity', 'Quote', Id, 'ExpirationDate', ExpirationDate::TIMESTAMPTZ FROM Quote
)
SELECT 'ends before it begins' AS what, root, "table", count(*) AS "rows", min(Id, 3) AS examples, of_column AS detail
FROM ended GROUP BY ALL
UNION ALL
SELECT 'far ahead', root, "table", count(*), min(Id, 3), of_column FROM planned
WHERE moment > as_of() + INTERVAL '5 years' GROUP BY ALL
UNION ALL
SELECT 'sent ahead', 'Case', 'EmailMessage', count(*), min(Id, 3), NULL FROM EmailMessage
WHERE MessageDate > CreatedDate + INTERVAL '1 day';

-- 4. Many records saved by one user within a minute; closings at the end of months.
CREATE OR REPLACE TEMP VIEW crowd_noticed AS
WITH
closing (root, record_id, moment, actor, source_table, source_id) AS (
  SELECT 'Opportunity', record_id, occurred_at, actor, source_table, source_id FROM opportunity_moves
  WHERE regexp_matches(activity, '^(Win|Lose|Close) ')
  UNION ALL
  SELECT 'Case', record_id, occurred_at, actor, source_table, source_id FROM case_moves WHERE activity = 'Close Case'
),
crowd AS (
  SELECT root, actor, date_trunc('minute', moment) AS "minute", count(DISTINCT record_id) AS records
  FROM told WHERE actor IS NOT NULL AND kind = 'field'
  GROUP BY root, actor, "minute" HAVING count(DISTINCT record_id) >= 20
),
closing_crowd AS (
  SELECT root, actor, date_trunc('minute', moment) AS "minute", count(DISTINCT record_id) AS records
  FROM closing WHERE actor IS NOT NULL
  GROUP BY root, actor, "minute" HAVING count(DISTINCT record_id) >= 20
),
judged AS (
  SELECT c.*, k.root IS NOT NULL AS closes
  FROM crowd AS c LEFT JOIN closing_crowd AS k ON k.root = c.root AND k.actor = c.actor AND k."minute" = c."minute"
),
birth AS (
  SELECT root, CreatedById, date_trunc('minute', CreatedDate) AS "minute", count(*) AS records, min(Id, 3) AS ids
  FROM told_records WHERE CreatedById IS NOT NULL
  GROUP BY root, CreatedById, "minute" HAVING count(*) >= 20
),
dated AS (
  SELECT root, source_id, local_day(moment) AS "day", last_day(local_day(moment)) - local_day(moment) < 2 AS at_end FROM closing
),
pace AS (  -- two days of every month against all others
  SELECT root, count(*) FILTER (at_end) AS at_end, count(*) FILTER (NOT at_end) AS others,
    2.0 * (date_diff('month', min("day"), max("day")) + 1) AS end_days, max("day") - min("day") + 1 AS days
  FROM dated GROUP BY root
)
SELECT CASE WHEN j.closes THEN 'mass close' ELSE 'bulk update' END AS what, j.root, t.source_table AS "table",
  count(DISTINCT t.source_id) AS "rows", min(DISTINCT t.source_id, 3) AS examples,
  count(DISTINCT (j.actor, j."minute")) || ' times, ' || count(DISTINCT t.record_id) || ' records' AS detail
FROM judged AS j
JOIN told AS t ON t.root = j.root AND t.actor = j.actor AND date_trunc('minute', t.moment) = j."minute" AND t.kind = 'field'
GROUP BY ALL
UNION ALL
SELECT 'bulk creation', root, root, sum(records), list_slice(list_sort(flatten(list(ids))), 1, 3), count(*) || ' times'
FROM birth GROUP BY root
UNION ALL
SELECT 'month end', root, any_value(d.root), count(*), min(d.source_id, 3),
  any_value(round(p.at_end / p.end_days / (p.others / (p.days - p.end_days)), 1)) || ' times as many a day as on others'
FROM dated AS d
JOIN pace AS p USING (root)
WHERE d.at_end AND p.at_end >= 20 AND p.days > 2 * p.end_days AND p.at_end / p.end_days > 2 * p.others / (p.days - p.end_days)
GROUP BY root;

-- 5. Words and money.
CREATE OR REPLACE TEMP VIEW value_noticed AS
WITH
step AS (
  SELECT root, source_table, source_id, moment, unnest(list_distinct([old_value, new_value])) AS value, new_value
  FROM told WHERE (root = 'Opportunity' AND column_name = 'StageName') OR (root IN ('Lead', 'Case') AND column_name = 'Status')
),
each_step AS (
  SELECT s.*, m.root IS NOT NULL AS is_known, m.by_today, r.value IS NOT NULL AS is_retired
  FROM step AS s
  LEFT JOIN (SELECT root, value, since, until, bool_and(order_basis = 'today') AS by_today FROM stage_meaning GROUP BY ALL) AS m
    ON m.root = s.root AND m.value = s.value AND s.moment >= m.since AND s.moment < m.until
  LEFT JOIN (SELECT DISTINCT 'Opportunity' AS root, ApiName AS value FROM OpportunityStage WHERE IsActive IS FALSE) AS r
    ON r.root = s.root AND r.value = s.value
  WHERE s.value IS NOT NULL
)
SELECT 'unknown value' AS what, root, source_table AS "table", count(DISTINCT source_id) AS "rows",
  min(DISTINCT source_id, 3) AS examples, some_of(list(DISTINCT value)) AS detail
FROM each_step WHERE NOT is_known GROUP BY ALL
UNION ALL
SELECT 'retired value', root, source_table, count(DISTINCT source_id), min(DISTINCT source_id, 3), some_of(list(DISTINCT value))
FROM each_step WHERE is_retired AND value = new_value GROUP BY ALL
UNION ALL
SELECT 'order of today', root, source_table, count(DISTINCT source_id), min(DISTINCT source_id, 3), NULL
FROM each_step WHERE by_today GROUP BY ALL
UNION ALL
SELECT 'unknown value today', r.root, r.root, count(*), min(r.Id, 3), some_of(list(DISTINCT r.status))
FROM told_records AS r
ANTI JOIN stage_meaning AS m ON m.root = r.root AND m.value = r.status AND m.since <= as_of() AND m.until > as_of()
WHERE r.status IS NOT NULL AND r.IsDeleted IS NOT TRUE GROUP BY ALL
UNION ALL
SELECT 'unconverted', 'Opportunity', "table", count(*), min(Id, 3), some_of(list(DISTINCT currency)) FROM unconverted GROUP BY "table"
UNION ALL
SELECT 'rate fault', 'Opportunity', source, count(*), coalesce(min(DISTINCT iso_code, 3), []), fault FROM rate_faults GROUP BY ALL;

-- 6. How far back the histories reach, and what only the present tells.
CREATE OR REPLACE TEMP VIEW reach_noticed AS
WITH
pace AS (
  SELECT source_table, coalesce(column_name, field) AS field, min(moment) AS first, max(moment) AS last, count(*) AS n
  FROM told WHERE kind = 'field' AND source_table <> 'OpportunityHistory' GROUP BY ALL
),
late AS (  -- more than a quarter after the table, and ten times the usual pause between changes of the field
  SELECT k.root, k.source_table, k.field, k.since
  FROM coverage AS k
  JOIN coverage AS t ON t.source_table = k.source_table AND t.field = '*'
  JOIN pace AS p ON p.source_table = k.source_table AND p.field = k.field
  WHERE k.basis = 'estimated' AND p.n > 1 AND k.since > t.since + INTERVAL '90 days'
    AND date_diff('second', t.since, k.since) > 10 * date_diff('second', p.first, p.last) / (p.n - 1)
),
supplied AS (
  SELECT table_name, column_name FROM duckdb_columns() WHERE schema_name = 'crm'  -- in whatever database
),
unknown AS (  -- few lists of columns, many records
  SELECT "table", columns, count(*) AS "rows", min(Id, 3) AS ids FROM state_unknown GROUP BY ALL
),
unknown_here AS (
  SELECT u.* EXCLUDE columns, list_filter(u.columns, lambda c: list_contains(s.columns, c)) AS columns
  FROM unknown AS u
  JOIN (SELECT table_name, list(column_name) AS columns FROM supplied GROUP BY table_name) AS s ON s.table_name = u."table"
),
named AS (
  SELECT *, "table" IN ('Account', 'Lead', 'Opportunity', 'Case') AS is_root FROM unknown_here WHERE len(columns) > 0
)
SELECT CASE k.basis WHEN 'estimated' THEN 'coverage' ELSE 'retention' END AS what, k.root, k.source_table AS "table",
  count(*) AS "rows", min(r.Id, 3) AS examples, strftime(local_day(k.since), '%Y-%m-%d') AS detail
FROM coverage AS k
JOIN told_records AS r ON r.root = k.root AND r.CreatedDate < k.since
WHERE k.field = '*'
GROUP BY k.basis, k.root, k.source_table, k.since
UNION ALL
SELECT 'tracked late', l.root, l.source_table, count(DISTINCT r.Id), min(DISTINCT r.Id, 3),
  some_of(list(DISTINCT l.field || ' since ' || strftime(local_day(l.since), '%Y-%m-%d')))
FROM late AS l
JOIN told_records AS r ON r.root = l.root AND r.CreatedDate < l.since
GROUP BY l.root, l.source_table
UNION ALL
SELECT 'only now', CASE WHEN is_root THEN "table" END, CASE WHEN is_root THEN "table" END, sum("rows")::BIGINT,
  list_slice(list_sort(flatten(list(ids))), 1, 3),
  CASE WHEN is_root THEN some_of(list_distinct(flatten(list(columns)))) ELSE some_of(list(DISTINCT "table")) END
FROM named
GROUP BY is_root, CASE WHEN is_root THEN "table" END;

-- 7. Touches and who made them.
CREATE OR REPLACE TEMP VIEW touch_noticed AS
WITH
by_whom AS (
  SELECT t.root, t.source_table AS "table", t.source_id, coalesce(p.kind, 'unknown') AS kind
  FROM told AS t LEFT JOIN people AS p ON p.Id = t.actor
  WHERE t.actor IS NOT NULL
  UNION ALL
  SELECT NULL, t.source_table, t.Id, coalesce(p.kind, 'unknown')
  FROM touches AS t LEFT JOIN people AS p ON p.Id = t.actor
  WHERE t.actor IS NOT NULL
),
counted AS (
  SELECT root, "table", kind, count(*) AS n, min(source_id, 3) AS examples, sum(count(*)) OVER (PARTITION BY "table") AS whole
  FROM by_whom GROUP BY root, "table", kind
)
SELECT CASE kind WHEN 'automated' THEN 'automated' ELSE 'unknown user' END AS what, root, "table", n AS "rows", examples,
  printf('%.1f %% of the rows that tell something', 100.0 * n / whole) AS detail
FROM counted WHERE kind IN ('automated', 'unknown')
UNION ALL
SELECT 'direction unknown', NULL, source_table, count(*), min(Id, 3), NULL FROM touches WHERE activity IN ('Call', 'Email') GROUP BY ALL
UNION ALL
SELECT 'day only', NULL, source_table, count(*), min(Id, 3), NULL FROM touches WHERE date_only GROUP BY ALL
UNION ALL
SELECT 'undated', NULL, 'Task', count(*), min(t.Id, 3), NULL
FROM touches AS t JOIN Task AS k ON k.Id = t.Id AND t.source_table = 'Task' AND k.CompletedDateTime IS NULL
UNION ALL
SELECT 'given back', 'Lead', source_table, count(*), min(Id, 3), NULL FROM touches WHERE moved_from IS NOT NULL GROUP BY ALL;

CREATE OR REPLACE TEMP TABLE findings AS
SELECT n.root, n."table", replace(w.finding, '{}', coalesce(n.detail, '')) AS finding, CAST(n."rows" AS BIGINT) AS "rows",
  n.examples, w.effect, w.done, CAST(w.weight AS TINYINT) AS weight
FROM (FROM history_noticed UNION ALL FROM record_noticed UNION ALL FROM time_noticed UNION ALL FROM crowd_noticed
  UNION ALL FROM value_noticed UNION ALL FROM reach_noticed UNION ALL FROM touch_noticed) AS n
JOIN finding_words AS w ON w.what = n.what
WHERE n."rows" > 0;
