-- What this org adds to the opportunity process; runs after opportunity.sql.

CREATE OR REPLACE TEMP VIEW more_cases AS
SELECT Id AS case_id, Region__c AS sales_region FROM Opportunity;

CREATE OR REPLACE TEMP VIEW more_events AS
SELECT Opportunity__c AS case_id, 'Visit Site' AS activity, Visited__c AS occurred_at,
  greatest(Visited__c, CreatedDate) AS recorded_at, CreatedById AS actor, CAST(120 AS UTINYINT) AS rank,
  'Site_Visit__c' AS source_table, Id AS source_id
FROM Site_Visit__c
WHERE IsDeleted IS NOT TRUE;

CREATE OR REPLACE TEMP VIEW more_unused AS
SELECT 'Site_Visit__c' AS source_table, Id AS source_id, 'deleted' AS reason FROM Site_Visit__c WHERE IsDeleted;
