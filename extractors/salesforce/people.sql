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

-- How the owner and the record type of records of one table changed, in the words of cases: the owner's name, manager, region,
-- team, profile and queue, and the record type's DeveloperName. What happened to a record before it went into another one
-- never showed there.
CREATE OR REPLACE TEMP MACRO owner_and_type_changes(of_root) AS TABLE
WITH own_change AS (
  FROM changes WHERE root = of_root AND record_id = case_id
)
SELECT c.case_id, c.moment, c.seq, c.source_id, 'record_type' AS attribute, o.DeveloperName AS old_value,
  n.DeveloperName AS new_value
FROM own_change AS c
LEFT JOIN RecordType AS o ON c.old_value IN (o.Id, o.Name) AND o.SobjectType = of_root
LEFT JOIN RecordType AS n ON c.new_value IN (n.Id, n.Name) AND n.SobjectType = of_root
WHERE c.column_name = 'RecordTypeId'
UNION ALL
SELECT c.case_id, c.moment, c.seq, c.source_id, w.attribute, w.old_value, w.new_value
FROM own_change AS c
LEFT JOIN people_by_name AS ob ON NOT c.by_id AND ob.owner = c.old_value
LEFT JOIN people_by_name AS nb ON NOT c.by_id AND nb.owner = c.new_value
LEFT JOIN people AS o ON o.Id = coalesce(ob.Id, c.old_value)
LEFT JOIN people AS n ON n.Id = coalesce(nb.Id, c.new_value)
CROSS JOIN LATERAL (VALUES
  ('owner', coalesce(o.owner, CASE WHEN NOT c.by_id THEN c.old_value END),
    coalesce(n.owner, CASE WHEN NOT c.by_id THEN c.new_value END)),
  ('manager', o.manager, n.manager), ('region', o.region, n.region), ('team', o.team, n.team),
  ('profile', o.profile, n.profile), ('queue', o.queue, n.queue)) AS w (attribute, old_value, new_value)
WHERE c.column_name = 'OwnerId';
