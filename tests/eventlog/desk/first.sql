CREATE OR REPLACE TEMP TABLE first_change AS SELECT min(CreatedDate) AS moment FROM Change;
