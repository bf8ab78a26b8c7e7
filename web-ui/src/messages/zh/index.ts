import app from './app.json';
import cases from './cases.json';
import evaluation from './evaluation.json';
import intake from './intake.json';
import layers from './layers.json';
import map from './map.json';
import names from './names.json';
import node from './node.json';
import panel from './panel.json';
import rules from './rules.json';
import search from './search.json';
import sources from './sources.json';
import table from './table.json';
import time from './time.json';

/** Every message of this language: a file a room of the page, the keys begin with the room's name. */
export default {
  ...app,
  ...cases,
  ...evaluation,
  ...intake,
  ...layers,
  ...map,
  ...names,
  ...node,
  ...panel,
  ...rules,
  ...search,
  ...sources,
  ...table,
  ...time,
};
