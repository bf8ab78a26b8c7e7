-- Which datasets an attribute has instances of, and the newest of each: what
-- the past of a whole layer is read by. Default instances are not in it.
CREATE INDEX instance_dataset ON instance (incarnation, name, dataset, time) WHERE dataset <> 0;
