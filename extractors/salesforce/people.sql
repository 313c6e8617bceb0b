-- Whoever can own a record or act on it: users and queues, as they are known today.
-- `kind`: 'human'; 'automated' for users that are programs, by their type or because the definitions state them;
-- 'customer' for portal and guest users; 'queue'; 'unknown' where nothing tells (such a user counts as a person).

CREATE OR REPLACE TEMP TABLE people AS
SELECT u.Id, u.Name AS owner, m.Name AS manager, u.Division AS region, r.Name AS team, p.Name AS profile,
  NULL::VARCHAR AS queue,
  CASE WHEN u.Id IN (SELECT value FROM stated_automated) OR u.Username IN (SELECT value FROM stated_automated)
      OR u.Name IN (SELECT value FROM stated_automated) THEN 'automated'
    WHEN t.type IN ('AutomatedProcess', 'CloudIntegrationUser') THEN 'automated'
    WHEN t.type IN ('Standard', 'PowerPartner', 'CsnOnly') THEN 'human'
    WHEN t.type IS NULL THEN 'unknown'
    ELSE 'customer' END AS kind,
  u.IsActive AS active
FROM "User" AS u
LEFT JOIN "User" AS m ON m.Id = u.ManagerId
LEFT JOIN UserRole AS r ON r.Id = u.UserRoleId
LEFT JOIN Profile AS p ON p.Id = u.ProfileId
CROSS JOIN LATERAL (SELECT coalesce(u.UserType, p.UserType) AS type) AS t
UNION ALL
SELECT Id, Name, NULL, NULL, NULL, NULL, Name, CASE WHEN coalesce(Type, 'Queue') = 'Queue' THEN 'queue' ELSE 'unknown' END,
  NULL
FROM "Group";

-- Histories tell some people by name alone. A name that only one of them has finds them.
CREATE OR REPLACE TEMP TABLE people_by_name AS
SELECT owner, any_value(Id) AS Id FROM people WHERE owner IS NOT NULL GROUP BY owner HAVING count(*) = 1;
