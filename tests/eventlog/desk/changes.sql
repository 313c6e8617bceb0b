CREATE TABLE set_aside AS SELECT Id, 'old and new value are the same' AS reason FROM Change WHERE OldValue = NewValue;
