/** What the reader does with cases: the words of the city's workflow, the chosen case, the place of a report. */
import { effect, signal, untracked } from '@preact/signals';
import {
  type CaseRow,
  type CaseTypes,
  numberOf,
  readCaseTypes,
  readWorkflow,
  type Workflow,
} from '../api/cases';
import type { Box } from '../api/city';
import type { CasesView } from '../lib/address';
import { boxOf } from '../lib/geometry';
import { t } from '../lib/i18n';
import { nameText } from '../lib/names';
import type { AlikeMark } from '../map/alike';
import type { Hit } from '../map/hits';
import { choose } from './entity';
import { coveredNow } from './covered';
import { city, findFeature, map, revision } from './store';
import { go, view } from './view';

/** Titles of types, departments, states, roles and moves; null until they have been read. */
export const words = signal<{ types: CaseTypes; workflow: Workflow } | null>(null);

let asked: Promise<void> | undefined;

/** Reads the titles once; again after it failed. */
export function readWords(): Promise<void> {
  asked ??= Promise.all([readCaseTypes(), readWorkflow()]).then(
    ([types, workflow]) => void (words.value = { types: types.body, workflow: workflow.body }),
    (thrown: unknown) => {
      asked = undefined;
      throw thrown;
    },
  );
  return asked;
}

const titled = (code: string, title: Parameters<typeof nameText>[0]): string =>
  nameText(title) || code;

export const typeTitle = (code: string): string =>
  titled(code, words.value?.types.types.find((each) => each.code === code)?.title);
export const conditionTitle = (code: string): string =>
  titled(
    code,
    words.value?.types.types
      .flatMap(({ conditions }) => conditions)
      .find((each) => each.code === code)?.title,
  );
export const departmentTitle = (code: string): string =>
  titled(code, words.value?.types.departments.find((each) => each.code === code)?.title);
export const stateTitle = (code: string): string =>
  titled(code, words.value?.workflow.states[code]?.title);
export const stepTitle = (code: string): string => titled(code, words.value?.workflow.steps[code]);
export const moveTitle = (code: string): string =>
  titled(code, words.value?.workflow.moves.find(({ move }) => move === code)?.title);
export const roleTitle = (code: string): string =>
  titled(code, words.value?.workflow.roles[code]?.title);

/** Whether people act in a role: the city itself acts by its rules and its sources alone. */
export const isOfPeople = (role: string): boolean => role !== 'city';

/** Who is to act: a department, or a role. */
export const holderTitle = (code: string): string =>
  words.value?.workflow.roles[code] ? roleTitle(code) : departmentTitle(code);

/**
 * Who acted, where a person can read it: `staff:roads-2` is the second one of a department or a role. "" for
 * who is told by the role alone; a key's own name stays.
 */
export function actorTitle(actor: string): string {
  if (actor.startsWith('urn:')) return '';
  const [, code = '', number = ''] = /^staff:(.+?)(?:-(\d+))?$/.exec(actor) ?? [];
  const title = code && holderTitle(code);
  if (!title || title === code) return actor;
  return number ? t('cases.staff', { title, number }) : title;
}

/** A district by its name, where the map has it. */
export function areaTitle(id: string): string {
  void revision.value;
  return findFeature(id)?.feature.properties.name || id.slice(id.lastIndexOf(':') + 1);
}

/** Changes the queue, the chosen case or the role, and the address with it. */
export function goCases(change: Partial<CasesView>, step = true): void {
  go({ cases: { ...view.value.cases, ...change } }, step);
}

/** Shows where a case is, and brings it into sight. */
export function showCase(place: CaseRow['location'] | null): void {
  map.value?.setChosen(place ? { type: 'Point', coordinates: place } : null);
  if (place && !onPhone()) map.value?.goTo([...place, ...place], coveredNow());
}

/** Cases that may be the same as the chosen one, beside it; none takes them away. */
export function drawAlike(
  from: CaseRow['location'] | null,
  marks: readonly AlikeMark[],
  chosen: string,
): void {
  map.value?.cases.alike.set(from ?? null, marks, chosen);
}

type Point = [lon: number, lat: number];

/** Brings two cases into sight, as near as can be. */
export function showAlike([west, south]: Point, [east, north]: Point): void {
  if (onPhone()) return;
  const box: Box = [
    Math.min(west, east),
    Math.min(south, north),
    Math.max(west, east),
    Math.max(south, north),
  ];
  map.value?.goTo(box, coveredNow(), closest);
}

const closest = 19;

/** Areas where an alarm is on, outlined on the map; none takes them away. */
export function drawSurges(ids: readonly string[]): void {
  map.value?.cases.alike.setSurges(ids.flatMap((id) => findFeature(id)?.feature.geometry ?? []));
}

/** Brings an area into sight; the whole city where there is none. */
export function showArea(id: string): void {
  const area = findFeature(id)?.feature.geometry;
  const box = id ? area && boxOf(area) : city.value?.bbox;
  if (box && !onPhone()) map.value?.goTo(box, coveredNow());
}

const onPhone = (): boolean => matchMedia('(max-width: 820px)').matches;

/** The queue as marks on the map; null takes them away. */
export function drawCases(rows: readonly CaseRow[] | null): void {
  map.value?.cases.set(rows ?? []);
}

export const caseType = 'Case';

/** What was pressed on the map is chosen: beside the queue only cases are. */
export function chooseOnMap({ id, type }: Hit): void {
  const { page } = view.value;
  if (page === 'map') choose(id);
  else if (page === 'cases' && type === caseType) goCases({ number: numberOf(id) });
}

/** Where the report is about; set by a press on the map, too. */
export const reportPlace = signal<[lon: number, lat: number] | null>(null);

/** Whether a press on the map was a place for the report. */
export function pressed(at: [lon: number, lat: number]): boolean {
  if (view.value.page !== 'report') return false;
  reportPlace.value = at;
  return true;
}

/** Shows the place of the report until the returned function is called. */
export function showReportPlace(): () => void {
  const stop = effect(() => {
    const place = reportPlace.value;
    map.value?.setChosen(place ? { type: 'Point', coordinates: place } : null);
  });
  return () => {
    stop();
    untracked(() => map.value)?.setChosen(null);
  };
}
