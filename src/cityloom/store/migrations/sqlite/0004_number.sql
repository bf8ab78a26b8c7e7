-- The number that is an attribute's only value stands beside its name, so that a
-- comparison with a number opens no body. NULL: no number, or not the only value.
-- Filled from the bodies when a file is brought up.
ALTER TABLE entity_attribute ADD COLUMN number;
