import type { ComponentChildren } from 'preact';
import type { Finding, Version } from '../../api/rules';
import { writeAddress } from '../../lib/address';
import { locale, known, t } from '../../lib/i18n';
import { nameText } from '../../lib/names';
import { keyOf } from '../../lib/ruledays';
import { codeTitle, columnTitle, openVersion } from '../../state/rules';
import { literalsOf } from '../../lib/rules';
import { view } from '../../state/view';

/** What a table is called; one without a title by what it decides. */
export const titleOf = ({ title, kind }: Pick<Version, 'title' | 'kind'>): string =>
  nameText(title) || t(`rules.kind.${kind}`);

export const dayText = (day: string): string =>
  day
    ? new Intl.DateTimeFormat(locale.value, { dateStyle: 'medium', timeZone: 'UTC' }).format(
        new Date(`${day}T00:00:00Z`),
      )
    : '';

/** From when until when a version decides. */
export function daysText({ state, from = '', until }: Version): string {
  if (state === 'file') return t('rules.ofFiles');
  if (state === 'draft') return t('rules.draft');
  return until
    ? t('rules.fromUntil', { from: dayText(from), until: dayText(until) })
    : t('rules.fromOn', { from: dayText(from) });
}

/** A link to a version; its row is pointed at. */
export function Open(props: {
  version: Pick<Version, 'decisionTable' | 'version'>;
  row?: string;
  children: ComponentChildren;
}) {
  const { version, row = '', children } = props;
  const name = keyOf(version);
  return (
    <a
      href={writeAddress({
        ...view.value,
        page: 'rules',
        rules: { version: name, row, replay: '' },
      })}
      data-version={name}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        openVersion(name, row);
      }}
    >
      {children}
    </a>
  );
}

/** What is the matter, in the reader's words; what the node says stands beside it. */
export function faultText({ fault, column, at, says, level }: Finding): string {
  const words = known(`rules.fault.${fault}`);
  if (!words) return says;
  const where = Object.entries(at)
    .map(([name, test]) => {
      const named = literalsOf(test).map((code) => codeTitle(name, code) || code);
      const told =
        named.length && named.length < 6 ? `${test} (${named.join(t('rules.comma'))})` : test;
      return `${columnTitle(name)}: ${told}`;
    })
    .join('; ');
  const text = words.replace('{column}', column ? columnTitle(column) : '');
  if (where) return `${text} ${where}`;
  return level === 'warning' && fault === 'gap' ? `${text} ${t('rules.anything')}` : text;
}
