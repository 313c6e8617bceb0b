-- Which ticket a ticket lives on in, however often it was merged.
CREATE OR REPLACE TEMP TABLE survivor AS
WITH RECURSIVE
step AS (
  SELECT Id, Id AS now_in FROM Ticket
  UNION
  SELECT s.Id, t.MergedInto FROM step AS s JOIN Ticket AS t ON t.Id = s.now_in WHERE t.MergedInto IS NOT NULL
)
SELECT s.Id, s.now_in FROM step AS s JOIN Ticket AS t ON t.Id = s.now_in WHERE t.MergedInto IS NULL;
