-- Amounts in the reporting currency: that of [org], else the corporate currency where the tables tell it, else the org's.
--
-- A currency's rates come from `_CEL_CURRENCIES` where that tells of the currency, else from DatedConversionRate, else
-- from CurrencyType; they are never mixed. Salesforce's layout states units per one corporate unit (amount / rate); the
-- other layout states what one unit of FromCurrency is worth in ToCurrency (amount * rate). Of those pairs one that leads
-- to the reporting currency goes first, then its inverse, then the way over one pivot currency (the corporate one, else
-- the one that most pairs name). The corporate currency and the reporting currency itself are worth exactly 1.
-- Where no rate holds on the day there is no amount (`unconverted`); rates that cannot be used stand in `rate_faults`.

CREATE OR REPLACE TEMP MACRO org_currency() AS coalesce(CAST(getvariable('org_currency') AS VARCHAR), 'USD');

-- 'close', 'created', 'event' (the day on which the amount was last set) or a day such as '2024-12-31'.
CREATE OR REPLACE TEMP MACRO conversion_date() AS coalesce(CAST(getvariable('conversion_date') AS VARCHAR), 'close');

CREATE OR REPLACE TEMP MACRO conversion_day(close_date, created, amount_set) AS
  CASE conversion_date() WHEN 'close' THEN close_date WHEN 'created' THEN local_day(created)
    WHEN 'event' THEN local_day(amount_set) ELSE TRY_CAST(conversion_date() AS DATE) END;

-- A day in ISO form; any other spelling is a locale's own and never guessed.
CREATE OR REPLACE TEMP MACRO iso_day(value) AS
  CASE WHEN regexp_matches(value, '^\d{4}-\d{2}-\d{2}') THEN TRY_CAST(left(value, 10) AS DATE) END;

-- What is stated, whatever it is worth: units of `iso_code` per corporate unit, or of `to_code` per unit of `iso_code`.
CREATE OR REPLACE TEMP VIEW stated_rates AS
WITH stated AS (
  SELECT 'CurrencyType' AS source, 3 AS choice, IsoCode AS iso_code, ConversionRate AS rate
  FROM CurrencyType
  UNION ALL BY NAME
  SELECT 'DatedConversionRate' AS source, 2 AS choice, IsoCode AS iso_code, ConversionRate AS rate, StartDate AS first_day,
    NextStartDate AS next_day
  FROM DatedConversionRate
  UNION ALL BY NAME
  SELECT '_CEL_CURRENCIES' AS source, 1 AS choice, CurrencyIsoCode AS iso_code, ConversionRate AS rate,
    StartDate AS first_day, NextStartDate AS next_day
  FROM _CEL_CURRENCIES
  WHERE coalesce(FromCurrency, ToCurrency) IS NULL
  UNION ALL BY NAME
  SELECT '_CEL_CURRENCIES' AS source, 1 AS choice, FromCurrency AS iso_code, coalesce(ToCurrency, '?') AS to_code,
    Rate AS rate, coalesce(ValidFrom, FromDate) AS first_day, coalesce(ValidTo, ToDate) AS last_day
  FROM _CEL_CURRENCIES
  WHERE coalesce(FromCurrency, ToCurrency) IS NOT NULL
)
SELECT source, choice, iso_code, to_code, rate,
  CASE WHEN first_day IS NULL THEN DATE '-infinity' ELSE iso_day(first_day) END AS since,
  -- a last day is part of the time; where the next rate begins on that very day, that one holds
  coalesce(iso_day(next_day), iso_day(last_day) + 1, DATE 'infinity') AS until, last_day IS NOT NULL AS by_last_day,
  coalesce(next_day, last_day) IS NOT NULL AND coalesce(iso_day(next_day), iso_day(last_day)) IS NULL AS open_by_fault
FROM stated;

-- One row per source, currency (pair) and first day. A rate ends where the next begins.
CREATE OR REPLACE TEMP TABLE judged_rates AS
WITH
one_each AS (
  SELECT source, choice, iso_code, to_code, since, min(rate) AS rate, max(until) AS until, bool_and(by_last_day) AS by_last_day,
    bool_or(open_by_fault) AS open_by_fault,
    count(*) AS copies, count(DISTINCT rate) > 1 AS contradicts
  FROM stated_rates
  WHERE rate > 0 AND iso_code IS NOT NULL AND to_code IS DISTINCT FROM '?' AND since < until
  GROUP BY source, choice, iso_code, to_code, since
)
SELECT * EXCLUDE (until), until AS stated_until, lead(since) OVER next_one AS next_since,
  least(until, coalesce(lead(since) OVER next_one, DATE 'infinity')) AS until
FROM one_each
WINDOW next_one AS (PARTITION BY source, iso_code, to_code ORDER BY since);

CREATE OR REPLACE TEMP VIEW rate_faults AS
SELECT source, iso_code, to_code, since, until, rate,
  CASE WHEN iso_code IS NULL OR to_code = '?' THEN 'no currency: not used'
    WHEN coalesce(rate <= 0, TRUE) THEN 'not a positive rate: not used'
    WHEN since IS NULL THEN 'its start is no day: not used'
    ELSE 'ends before it begins: not used' END AS fault
FROM stated_rates
WHERE iso_code IS NULL OR to_code = '?' OR coalesce(rate <= 0, TRUE) OR coalesce(since >= until, TRUE)
UNION ALL
SELECT source, iso_code, to_code, since, until, rate, 'its end is no day: holds until the next begins'
FROM stated_rates
WHERE open_by_fault
UNION ALL
SELECT source, iso_code, to_code, since, stated_until, rate,
  CASE WHEN contradicts THEN 'several rates from the same day: none is used'
    WHEN copies > 1 THEN 'stated more than once: used once'
    ELSE 'overlaps the next: ends where that begins' END
FROM judged_rates
WHERE contradicts OR copies > 1
  OR (NOT open_by_fault AND next_since < CASE WHEN by_last_day THEN stated_until - 1 ELSE stated_until END);

CREATE OR REPLACE TEMP TABLE money_terms AS
WITH told AS (
  SELECT coalesce(
    (SELECT min(IsoCode) FROM CurrencyType WHERE IsCorporate),
    (SELECT min(CurrencyIsoCode) FROM _CEL_CURRENCIES WHERE IsCorporate),
    -- the only one whose rate against the corporate currency is 1 on every day
    (SELECT CASE WHEN count(*) = 1 THEN min(iso_code) END FROM (
      SELECT iso_code FROM judged_rates WHERE to_code IS NULL GROUP BY iso_code
      HAVING bool_and(rate = 1 AND NOT contradicts)))) AS corporate
)
SELECT corporate, coalesce(CAST(getvariable('reporting_currency') AS VARCHAR), corporate, org_currency()) AS reporting
FROM told;

-- Units of a currency per unit of the corporate one, from `since` to the day before `until`.
CREATE OR REPLACE TEMP TABLE rates AS
SELECT iso_code, rate AS per_corporate, since, until, source
FROM (
  SELECT *, choice = min(choice) OVER (PARTITION BY iso_code) AS chosen
  FROM judged_rates
  WHERE to_code IS NULL AND iso_code IS DISTINCT FROM (SELECT corporate FROM money_terms)
) AS found
WHERE chosen AND NOT contradicts
UNION ALL
SELECT corporate, 1, DATE '-infinity', DATE 'infinity', 'corporate' FROM money_terms WHERE corporate IS NOT NULL;

-- What an amount is worth in the reporting currency: amount * times / per, from `since` to the day before `until`.
CREATE OR REPLACE TEMP TABLE conversion AS
WITH
pair AS (SELECT * FROM judged_rates WHERE to_code IS NOT NULL AND NOT contradicts),
two_ways AS (
  SELECT iso_code, to_code, rate AS times, 1::DOUBLE AS per, since, until, 1 AS choice FROM pair
  UNION ALL
  SELECT to_code, iso_code, 1, rate, since, until, 2 FROM pair
),
pivot_currency AS (  -- other than the reporting currency
  SELECT t.iso_code AS code
  FROM two_ways AS t
  CROSS JOIN money_terms AS m
  WHERE t.iso_code <> m.reporting
  GROUP BY t.iso_code, m.corporate
  ORDER BY t.iso_code IS NOT DISTINCT FROM m.corporate DESC, count(*) DESC, t.iso_code
  LIMIT 1
),
leg AS (  -- into the pivot currency
  SELECT * FROM two_ways
  WHERE to_code = (SELECT code FROM pivot_currency)
  QUALIFY choice = min(choice) OVER (PARTITION BY iso_code)
),
found AS (
  SELECT reporting AS iso_code, 1::DOUBLE AS times, 1::DOUBLE AS per, DATE '-infinity' AS since, DATE 'infinity' AS until,
    0 AS choice, 'reporting currency' AS way
  FROM money_terms
  UNION ALL
  SELECT iso_code, times, per, since, until, choice, CASE choice WHEN 1 THEN 'pair' ELSE 'inverse pair' END
  FROM two_ways
  WHERE to_code = (SELECT reporting FROM money_terms)
  UNION ALL
  SELECT a.iso_code, a.times * b.per, a.per * b.times, greatest(a.since, b.since), least(a.until, b.until), 3,
    'pairs over ' || a.to_code
  FROM leg AS a
  JOIN leg AS b ON b.iso_code = (SELECT reporting FROM money_terms)
  UNION ALL
  SELECT a.iso_code, b.per_corporate, a.per_corporate, greatest(a.since, b.since), least(a.until, b.until), 4,
    'corporate rates of ' || a.source
  FROM rates AS a
  JOIN rates AS b ON b.iso_code = (SELECT reporting FROM money_terms)
)
SELECT iso_code, since, until, times, per, way
FROM found
WHERE since < until
QUALIFY choice = min(choice) OVER (PARTITION BY iso_code);

-- An amount by the row of `conversion` that began last on its day; without a day only a rate that always holds will do.
CREATE OR REPLACE TEMP MACRO converted(amount, known_day, rate) AS
  CASE WHEN coalesce(known_day < rate.until, rate.until = DATE 'infinity') THEN amount * rate.times / rate.per END;

-- Opportunities' money: the day whose rate holds, by the policy.
CREATE OR REPLACE TEMP VIEW opportunity_money AS
WITH amount_set AS (
  SELECT record_id, max(moment) AS moment FROM changes
  WHERE root = 'Opportunity' AND column_name = 'Amount' AND conversion_date() = 'event'
  GROUP BY record_id
),
dated AS (
  SELECT o.Id, o.Amount, o.ExpectedRevenue, o.IsDeleted, coalesce(o.CurrencyIsoCode, org_currency()) AS currency,
    conversion_day(o.CloseDate, o.CreatedDate, coalesce(s.moment, o.CreatedDate)) AS "day"
  FROM Opportunity AS o
  LEFT JOIN amount_set AS s ON s.record_id = o.Id
)
SELECT d.Id, d.currency, d."day", d.Amount AS amount, converted(d.Amount, d."day", x) AS amount_reporting,
  converted(d.ExpectedRevenue, d."day", x) AS expected_revenue_reporting, d.IsDeleted
FROM dated AS d
ASOF LEFT JOIN conversion AS x ON x.iso_code = d.currency AND x.since <= coalesce(d."day", DATE '-infinity');

-- Amounts without a rate.
CREATE OR REPLACE TEMP VIEW unconverted AS
SELECT 'Opportunity' AS "table", Id, currency, "day"
FROM opportunity_money
WHERE amount IS NOT NULL AND amount_reporting IS NULL AND IsDeleted IS NOT TRUE;
