-- What this org adds to the case process; runs after case.sql.

CREATE OR REPLACE TEMP VIEW more_cases AS
SELECT Id AS case_id, Queue__c AS support_queue FROM "Case";
