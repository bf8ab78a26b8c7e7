import type { Row } from '../../lib/entity';
import { numberText } from '../../lib/format';
import { plural, t } from '../../lib/i18n';
import { languageName, oneText, tagFor } from '../../lib/names';
import { Value } from '../parts/Value';

/** Longer than this a text is folded, and shown whole on request. */
const longText = 280;
const longJson = 240;

/** One value of the panel: nothing of the data is hidden for good, and nothing long pushes the rest away. */
export function Told({ row }: { row: Row }) {
  const { shown } = row;
  if (row.unknown) return <span class="quiet">{t('panel.unknownThen')}</span>;
  if (shown.kind === 'language') return <Languages texts={shown.value} />;
  if (shown.kind === 'text' && shown.value.length > longText) return <Long text={shown.value} />;
  if (shown.kind === 'json') return <JsonText text={shown.value} />;
  return <Value row={row} />;
}

/** The reader's own language first; what it says in others is one step away. */
function Languages({ texts }: { texts: Record<string, string | string[]> }) {
  const own = tagFor(texts);
  const others = Object.keys(texts).filter((tag) => tag !== own);
  const text = oneText(texts[own]);
  return (
    <>
      <span dir="auto" lang={langOf(own)}>
        {text.length > longText ? <Long text={text} /> : text}
      </span>
      {others.length > 0 && (
        <details class="sub">
          <summary>{plural('panel.languages', others.length)}</summary>
          <dl class="languages">
            {others.map((tag) => (
              <div key={tag}>
                <dt class="quiet small">{languageName(tag) || t('panel.anyLanguage')}</dt>
                <dd dir="auto" lang={langOf(tag)}>
                  {oneText(texts[tag])}
                </dd>
              </div>
            ))}
          </dl>
        </details>
      )}
    </>
  );
}

/** A document may have keys that are no language tags: the page claims none of them. */
function langOf(tag: string): string | undefined {
  return /^[a-z]{2,3}(-[a-z0-9]{2,8})*$/i.test(tag) ? tag : undefined;
}

function Long({ text }: { text: string }) {
  return (
    <details class="long">
      <summary>
        <span class="long-start" dir="auto">
          {text.slice(0, longText / 2)}…
        </span>
        <span class="long-more">{t('panel.whole', { count: numberText(text.length) })}</span>
      </summary>
      <span dir="auto">{text}</span>
    </details>
  );
}

function JsonText({ text }: { text: string }) {
  // A keyboard must reach what only scrolling shows.
  const pre = (
    <pre class="json" tabIndex={0} role="group" aria-label={t('panel.json')}>
      {text}
    </pre>
  );
  if (text.length <= longJson) return pre;
  return (
    <details class="sub">
      <summary>{t('panel.jsonWhole', { count: numberText(text.length) })}</summary>
      {pre}
    </details>
  );
}
