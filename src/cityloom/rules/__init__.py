"""Rules as data: decision tables with versions and dates, edited by people, replayed before adoption.

A table is read, checked whole and evaluated purely, with an explanation of each decision. Its
versions are documents of the store, so they are applied in the order of the log. Opening rules
follow the log and open cases; a replay lives the past again under another rule. This room must
never know how a case is moved: `app` hands in what opens, moves and scores cases.

Words follow OMG DMN 1.5: decision table, hit policy, input entry, output entry, unary tests.
"""
