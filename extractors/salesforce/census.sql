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
