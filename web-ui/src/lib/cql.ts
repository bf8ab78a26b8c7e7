/**
 * Conditions on attributes as CQL2 text, and back.
 *
 * Source: OGC 21-065r2 (CQL2), clauses 6.1 to 6.5 and 7.1, and its BNF. Only what the editor of conditions can
 * show is read back; any other text stays as it was typed. Pure.
 */

export type Operator =
  | '='
  | '<>'
  | '<'
  | '<='
  | '>'
  | '>='
  | 'between'
  | 'in'
  | 'contains'
  | 'starts'
  | 'present'
  | 'missing';

/** What an attribute holds, as far as comparing needs to know. */
export type Kind = 'number' | 'text' | 'boolean' | 'time' | 'date';

export interface Condition {
  attribute: string;
  kind: Kind;
  operator: Operator;
  /** As they were typed: numbers with a point, times in ISO 8601, "true" or "false". */
  values: string[];
}

export interface Conditions {
  join: 'AND' | 'OR';
  list: Condition[];
}

export const operatorsOf: Record<Kind, readonly Operator[]> = {
  number: ['=', '<>', '<', '<=', '>', '>=', 'between', 'present', 'missing'],
  text: ['=', '<>', 'contains', 'starts', 'in', 'present', 'missing'],
  boolean: ['=', 'present', 'missing'],
  time: ['>=', '<', 'between', 'present', 'missing'],
  date: ['>=', '<', 'between', 'present', 'missing'],
};

/** How many values an operator needs; `Infinity` is one or more. */
export function valueCount(operator: Operator): number {
  if (operator === 'present' || operator === 'missing') return 0;
  if (operator === 'between') return 2;
  return operator === 'in' ? Infinity : 1;
}

/** Words of the language, which a name must not be mistaken for. */
const words = new Set(
  (
    'and or not in like between is null true false casei accenti div date timestamp interval bbox ' +
    'point linestring polygon multipoint multilinestring multipolygon geometrycollection'
  ).split(' '),
);

/** A property's name: in double quotes where it is not a plain one. */
export function nameCql(name: string): string {
  const plain = /^[A-Za-z_:][\w:.]*$/.test(name);
  return plain && !words.has(name.toLowerCase()) ? name : `"${name.replaceAll('"', '""')}"`;
}

export const textCql = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** A text that LIKE takes as it stands, between the wildcards of the caller. */
const likeText = (text: string): string => text.replace(/[\\%_]/g, '\\$&');

/** One value as it stands in CQL2 text; null where it is none of its kind. */
export function valueCql(value: string, kind: Kind): string | null {
  const text = value.trim();
  switch (kind) {
    case 'number':
      return text !== '' && Number.isFinite(Number(text)) ? String(Number(text)) : null;
    case 'boolean':
      return text === 'true' || text === 'false' ? text.toUpperCase() : null;
    case 'time': {
      const time = new Date(text);
      return Number.isNaN(time.getTime()) ? null : `TIMESTAMP('${time.toISOString()}')`;
    }
    case 'date':
      return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text))
        ? `DATE('${text}')`
        : null;
    default:
      return value === '' ? null : textCql(value);
  }
}

/** A condition as CQL2 text; null where a value is missing or of another kind. */
export function conditionCql({ attribute, kind, operator, values }: Condition): string | null {
  if (!attribute) return null;
  const name = nameCql(attribute);
  if (operator === 'present') return `${name} IS NOT NULL`;
  if (operator === 'missing') return `${name} IS NULL`;
  if (operator === 'contains' || operator === 'starts') {
    const text = values[0] ?? '';
    if (!text) return null;
    const pattern = `${operator === 'contains' ? '%' : ''}${likeText(text)}%`;
    return `CASEI(${name}) LIKE CASEI(${textCql(pattern)})`;
  }
  const literals = values.map((value) => valueCql(value, kind));
  if (!literals.length || literals.includes(null)) return null;
  if (operator === 'in') return `${name} IN (${literals.join(', ')})`;
  if (operator === 'between') {
    const [from, to] = literals;
    if (literals.length !== 2) return null;
    // BETWEEN is for numbers alone.
    return kind === 'number'
      ? `${name} BETWEEN ${from} AND ${to}`
      : `(${name} >= ${from} AND ${name} <= ${to})`;
  }
  return `${name} ${operator} ${literals[0]}`;
}

/** Conditions as CQL2 text: "" where there is none, null where one is not finished. */
export function writeCql({ join, list }: Conditions): string | null {
  const texts = list.map(conditionCql);
  return texts.includes(null) ? null : texts.join(` ${join} `);
}

/** A filter that could be written of these attributes; null where none fits. */
export function exampleCql(
  list: readonly { name: string; kind: Kind; values: string[] }[],
): string | null {
  const number = list.find(({ kind }) => kind === 'number');
  if (number)
    return conditionCql({ attribute: number.name, kind: 'number', operator: '>', values: ['20'] });
  const text = list.find(({ kind, values }) => kind === 'text' && values[0]);
  if (text)
    return conditionCql({
      attribute: text.name,
      kind: 'text',
      operator: '=',
      values: text.values.slice(0, 1),
    });
  const any = list.find(({ kind }) => kind === 'text');
  return any ? `${nameCql(any.name)} LIKE 'A%'` : null;
}

/** Both must hold; each may be "". */
export function allOf(...filters: string[]): string {
  const given = filters.filter((filter) => filter.trim());
  return given.length > 1 ? given.map((filter) => `(${filter})`).join(' AND ') : (given[0] ?? '');
}

/** The objects with one of these ids. */
export const idsCql = (ids: readonly string[]): string => `id IN (${ids.map(textCql).join(', ')})`;

/** The objects that have no place. */
export const nowhereCql = 'location IS NULL';

/** Whether what a filter selects may depend on an attribute: when in doubt, it may. */
export const mentions = (filter: string, attribute: string): boolean =>
  filter.includes(attribute.replaceAll('"', '""')) || /modifiedAt/.test(filter);

type Token = { kind: 'name' | 'text' | 'number' | 'sign' | 'word'; text: string };

const token =
  /\s*(?:"((?:[^"]|"")+)"|'((?:[^']|'')*)'|([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(<>|<=|>=|[=<>(),])|([A-Za-z_:][\w:.]*))/y;

function tokens(text: string): Token[] | null {
  const found: Token[] = [];
  token.lastIndex = 0;
  for (let at = 0; text.slice(at).trim(); at = token.lastIndex) {
    const [whole, quoted, string, number, sign, word] = token.exec(text) ?? [];
    if (whole === undefined) return null;
    if (quoted !== undefined) found.push({ kind: 'name', text: quoted.replaceAll('""', '"') });
    else if (string !== undefined) found.push({ kind: 'text', text: string.replaceAll("''", "'") });
    else if (number !== undefined) found.push({ kind: 'number', text: number });
    else if (sign !== undefined) found.push({ kind: 'sign', text: sign });
    else if (word !== undefined)
      found.push({ kind: words.has(word.toLowerCase()) ? 'word' : 'name', text: word });
  }
  return found;
}

/** Conditions from CQL2 text, if it is nothing but conditions joined by one word. */
export function readCql(text: string): Conditions | null {
  if (!text.trim()) return { join: 'AND', list: [] };
  const all = tokens(text);
  return all ? new Reader(all).conditions() : null;
}

class Reader {
  private at = 0;

  constructor(private readonly all: Token[]) {}

  conditions(): Conditions | null {
    const list: Condition[] = [];
    let join: 'AND' | 'OR' | null = null;
    for (;;) {
      const condition = this.condition();
      if (!condition) return null;
      list.push(condition);
      if (this.at === this.all.length) return { join: join ?? 'AND', list };
      const word = this.word('and') ? 'AND' : this.word('or') ? 'OR' : null;
      if (!word || (join && join !== word)) return null;
      join = word;
    }
  }

  private condition(): Condition | null {
    if (this.sign('(')) return this.period();
    if (this.word('casei')) return this.like();
    const attribute = this.name();
    if (attribute === null) return null;
    if (this.word('is')) {
      const operator = this.word('not') ? 'present' : 'missing';
      return this.word('null') ? { attribute, kind: 'text', operator, values: [] } : null;
    }
    if (this.word('between')) {
      const from = this.literal();
      if (!from || !this.word('and')) return null;
      const to = this.literal();
      if (from.kind !== 'number' || to?.kind !== 'number') return null;
      return { attribute, kind: 'number', operator: 'between', values: [from.value, to.value] };
    }
    if (this.word('in')) return this.list(attribute);
    const operator = this.operator();
    const literal = operator && this.literal();
    return literal ? { attribute, kind: literal.kind, operator, values: [literal.value] } : null;
  }

  private list(attribute: string): Condition | null {
    if (!this.sign('(')) return null;
    const values: string[] = [];
    do {
      const literal = this.literal();
      if (literal?.kind !== 'text') return null;
      values.push(literal.value);
    } while (this.sign(','));
    return this.sign(')') ? { attribute, kind: 'text', operator: 'in', values } : null;
  }

  /** `(a >= x AND a <= y)`: between two times. */
  private period(): Condition | null {
    const attribute = this.name();
    const from = this.sign('>=') && this.literal();
    if (!from || !this.word('and') || this.name() !== attribute) return null;
    const to = this.sign('<=') && this.literal();
    if (!to || to.kind !== from.kind || !this.sign(')') || attribute === null) return null;
    return { attribute, kind: from.kind, operator: 'between', values: [from.value, to.value] };
  }

  /** `CASEI(a) LIKE CASEI('%x%')`. */
  private like(): Condition | null {
    if (!this.sign('(')) return null;
    const attribute = this.name();
    if (attribute === null || !this.sign(')') || !this.word('like')) return null;
    if (!this.word('casei') || !this.sign('(')) return null;
    const pattern = this.take('text');
    if (pattern === null || !this.sign(')') || !/(?<!\\)(\\\\)*%$/.test(pattern)) return null;
    const contains = pattern.startsWith('%');
    const inner = pattern.slice(contains ? 1 : 0, -1);
    if (/(?<!\\)(\\\\)*[%_]/.test(inner)) return null;
    const values = [inner.replace(/\\(.)/g, '$1')];
    return { attribute, kind: 'text', operator: contains ? 'contains' : 'starts', values };
  }

  private literal(): { kind: Kind; value: string } | null {
    const text = this.take('text');
    if (text !== null) return { kind: 'text', value: text };
    const number = this.take('number');
    if (number !== null) return { kind: 'number', value: String(Number(number)) };
    if (this.word('true')) return { kind: 'boolean', value: 'true' };
    if (this.word('false')) return { kind: 'boolean', value: 'false' };
    const kind = this.word('timestamp') ? 'time' : this.word('date') ? 'date' : null;
    if (!kind || !this.sign('(')) return null;
    const value = this.take('text');
    return value !== null && this.sign(')') ? { kind, value } : null;
  }

  private operator(): Operator | null {
    const found = (['=', '<>', '<', '<=', '>', '>='] as const).find((sign) => this.sign(sign));
    return found ?? null;
  }

  private name(): string | null {
    return this.take('name');
  }

  private take(kind: Token['kind']): string | null {
    const next = this.all[this.at];
    if (next?.kind !== kind) return null;
    this.at++;
    return next.text;
  }

  private sign(text: string): boolean {
    return this.same('sign', text);
  }

  private word(text: string): boolean {
    return this.same('word', text);
  }

  private same(kind: Token['kind'], text: string): boolean {
    const next = this.all[this.at];
    if (next?.kind !== kind || next.text.toLowerCase() !== text) return false;
    this.at++;
    return true;
  }
}
