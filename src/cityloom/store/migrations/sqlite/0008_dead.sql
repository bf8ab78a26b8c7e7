-- Dead letters by the time that they were given up: the oldest are dropped.
CREATE INDEX delivery_given_up ON delivery (due, tenant, id) WHERE dead = 1;
