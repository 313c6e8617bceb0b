-- What must be known of all records, whichever are asked for. Runs first, on everything that was ever recorded.

-- The first row of every field of every history: what came before it was not tracked, or is no longer kept.
CREATE OR REPLACE TEMP TABLE first_rows AS
SELECT 'AccountHistory' AS source_table, Field AS field, min(CreatedDate) AS since FROM AccountHistory GROUP BY Field
UNION ALL
SELECT 'LeadHistory', Field, min(CreatedDate) FROM LeadHistory GROUP BY Field
UNION ALL
SELECT 'OpportunityFieldHistory', Field, min(CreatedDate) FROM OpportunityFieldHistory GROUP BY Field
UNION ALL
SELECT 'CaseHistory', Field, min(CreatedDate) FROM CaseHistory GROUP BY Field
UNION ALL
SELECT 'OpportunityHistory', NULL, min(CreatedDate)
FROM OpportunityHistory
WHERE IsDeleted IS NOT TRUE OR OpportunityId IN (SELECT Id FROM Opportunity WHERE IsDeleted)
HAVING count(*) > 0;

-- What the records say, as they are today, of the stages and statuses that they have: for those that no list explains.
CREATE OR REPLACE TEMP TABLE value_flags AS
SELECT 'Opportunity' AS root, StageName AS value, bool_or(IsClosed) AS is_closed,
  CASE WHEN NOT bool_or(IsClosed) THEN FALSE ELSE bool_or(IsWon) FILTER (IsClosed IS NOT FALSE) END AS is_won
FROM Opportunity
WHERE StageName IS NOT NULL
GROUP BY StageName
UNION ALL
SELECT 'Case', Status, bool_or(coalesce(IsClosed, ClosedDate IS NOT NULL)), NULL
FROM "Case"
WHERE Status IS NOT NULL
GROUP BY Status
UNION ALL
SELECT 'Lead', Status, NULL, bool_or(coalesce(IsConverted, ConvertedDate IS NOT NULL
    OR coalesce(ConvertedAccountId, ConvertedContactId, ConvertedOpportunityId) IS NOT NULL)
  OR Id IN (SELECT LeadId FROM LeadHistory WHERE Field = 'leadConverted'))
FROM Lead
WHERE Status IS NOT NULL
GROUP BY Status;
