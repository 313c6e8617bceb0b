CREATE TEMP VIEW cases AS
SELECT Id AS case_id, CreatedDate AS created_at,
  coalesce(CreatedDate < (SELECT moment FROM first_change), FALSE) AS truncated, Team AS team
FROM Ticket WHERE MergedInto IS NULL;

CREATE TEMP VIEW first_ticket AS
SELECT CustomerId, arg_min(Id, (CreatedDate, Id)) AS Id FROM Ticket WHERE MergedInto IS NULL GROUP BY CustomerId;

CREATE TEMP VIEW events AS
SELECT Id AS case_id, 'Open' AS activity, CreatedDate AS occurred_at, 0 AS rank, 'Ticket' AS source_table, Id AS source_id
FROM Ticket WHERE MergedInto IS NULL
UNION ALL BY NAME
SELECT coalesce(s.now_in, c.TicketId) AS case_id,
  CASE WHEN Field = 'Status' AND NewValue = 'done' THEN 'Solve' ELSE 'Set: ' || Field END AS activity,
  CreatedDate AS occurred_at, ById AS actor, 100 AS rank, (Field = 'Status')::INT AS seq, TicketId AS record_id,
  'Change' AS source_table, c.Id AS source_id, OldValue AS old_value, NewValue AS new_value
FROM Change AS c LEFT JOIN survivor AS s ON s.Id = c.TicketId
WHERE c.Id NOT IN (SELECT Id FROM whole.set_aside)
UNION ALL BY NAME
SELECT coalesce(s.now_in, f.Id) AS case_id, 'Note' AS activity, Written AS occurred_at,
  greatest(n.CreatedDate, Written) AS recorded_at, ById AS actor, 120 AS rank, n.Id AS record_id, 'Note' AS source_table,
  n.Id AS source_id
FROM Note AS n LEFT JOIN survivor AS s ON s.Id = n.TicketId LEFT JOIN first_ticket AS f ON f.CustomerId = n.CustomerId
WHERE Draft IS NOT TRUE AND coalesce(s.now_in, f.Id) IS NOT NULL;

CREATE TEMP VIEW unused AS
SELECT 'Change' AS source_table, Id AS source_id, reason FROM whole.set_aside
UNION ALL
SELECT 'Note', Id, 'a draft' FROM Note WHERE Draft
UNION ALL
SELECT 'Ticket', Id, 'merged into another' FROM Ticket WHERE MergedInto IS NOT NULL;

CREATE TEMP VIEW attributes AS
SELECT c.TicketId AS case_id, 'team' AS attribute, t.CreatedDate AS since, 0 AS seq, arg_min(c.OldValue, c.CreatedDate) AS value
FROM Change AS c JOIN Ticket AS t ON t.Id = c.TicketId
WHERE Field = 'Team'
GROUP BY ALL
UNION ALL
SELECT TicketId, 'team', CreatedDate, 0, NewValue FROM Change WHERE Field = 'Team';
