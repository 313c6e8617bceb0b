-- Words that the SQL of every process uses. In a DuckDB shell: make a schema `as_of` with the tables, `USE as_of`, and
-- `.read` the files in the order of [sql] in source.toml.

-- The moment as of which everything is seen; without one, everything is known.
CREATE OR REPLACE TEMP MACRO as_of() AS coalesce(getvariable('as_of'), TIMESTAMPTZ 'infinity');

-- The org's time zone as the definitions state it, UTC in a shell without `SET VARIABLE time_zone = 'Asia/Tokyo'`.
CREATE OR REPLACE TEMP MACRO local_zone() AS coalesce(getvariable('time_zone'), 'UTC');

-- The org's day at a moment; and where only the day is known, its last second.
CREATE OR REPLACE TEMP MACRO local_day(moment) AS CAST(moment AT TIME ZONE local_zone() AS DATE);
CREATE OR REPLACE TEMP MACRO end_of_day(known_day) AS
  (CAST(known_day AS TIMESTAMP) + INTERVAL '1 day' - INTERVAL '1 second') AT TIME ZONE local_zone();

-- Whether a value is an Id rather than a name.
CREATE OR REPLACE TEMP MACRO is_id(value) AS
  regexp_full_match(value, '[a-zA-Z0-9]{15}([A-Z0-5]{3})?') AND regexp_matches(value, '[0-9]');

-- The last three characters of an Id tell which of the first fifteen are capitals, so that case is not lost.
CREATE OR REPLACE TEMP MACRO is_capital(value, place) AS CAST(substr(value, place, 1) BETWEEN 'A' AND 'Z' AS INTEGER);
CREATE OR REPLACE TEMP MACRO id_check(value, start) AS substr('ABCDEFGHIJKLMNOPQRSTUVWXYZ012345',
  1 + is_capital(value, start) + 2 * is_capital(value, start + 1) + 4 * is_capital(value, start + 2)
    + 8 * is_capital(value, start + 3) + 16 * is_capital(value, start + 4), 1);
CREATE OR REPLACE TEMP MACRO id_suffix(value) AS id_check(value, 1) || id_check(value, 6) || id_check(value, 11);

-- An Id in its long form: texts of history keep whatever form they were written in.
CREATE OR REPLACE TEMP MACRO long_id(value) AS CASE WHEN length(value) = 15 THEN value || id_suffix(value) ELSE value END;

-- The record's column that a field of history is about: look-ups are called by their relationship. Words that begin in lower
-- case are Salesforce's own marks; only those of an owner are about a column.
CREATE OR REPLACE TEMP MACRO is_mark(field) AS regexp_matches(field, '^[a-z]') AND NOT ends_with(field, '__c');
CREATE OR REPLACE TEMP MACRO column_of(field) AS CASE
  WHEN field IN ('Owner', 'ownerAssignment', 'ownerAccepted', 'ownerEscalated') THEN 'OwnerId'
  WHEN field IN ('Account', 'Contact', 'Parent', 'RecordType', 'Campaign', 'Product', 'Asset', 'Entitlement', 'Source',
    'BusinessHours', 'Contract', 'Pricebook2', 'SyncedQuote', 'Territory2', 'PersonContact') THEN field || 'Id'
  WHEN field = 'TextName' THEN 'Name'
  WHEN is_mark(field) THEN NULL
  ELSE field END;

-- What the definitions state of the histories: since when a field (none: the whole table) is tracked, and since when rows
-- are kept. In a shell nothing is stated.
CREATE TEMP TABLE IF NOT EXISTS tracking
  (source_table VARCHAR, field VARCHAR, since TIMESTAMPTZ, kept_since TIMESTAMPTZ);

-- Words of fields in their order, as a process's TOML states them: `level` 1 is the least, `word` has no capitals.
-- In a shell fill it from [levels] of the process, else words have no level and their changes no direction.
CREATE TEMP TABLE IF NOT EXISTS levels (field VARCHAR, word VARCHAR, level BIGINT);
