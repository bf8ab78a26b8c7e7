"""How a case goes: a workflow as data, and the pure machine that moves a case by it."""
