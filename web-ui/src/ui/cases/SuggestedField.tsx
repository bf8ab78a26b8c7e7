import { useLayoutEffect, useState } from 'preact/hooks';
import type { Suggested } from '../../api/insights';
import type { CaseWhole } from '../../api/cases';
import { listText, t } from '../../lib/i18n';
import { nameText } from '../../lib/names';
import { typeTitle } from '../../state/cases';
import { offerKeys } from '../../state/keys';
import { Offers, useSuggestions } from './Offers';

const takeKeys = [
  { key: '1', message: 'intake.keys.first' },
  { key: '2', message: 'intake.keys.second' },
  { key: '3', message: 'intake.keys.third' },
] as const;
const refuseKey = '0';

/**
 * What is suggested for a field of a move, taken with one key; or none of it.
 *
 * Nothing is filled in by itself. Whoever chooses otherwise need not say so: with the move the node keeps it.
 */
export function SuggestedField(props: {
  name: 'type' | 'department';
  whole: CaseWhole;
  chosen: readonly string[];
  take: (code: string) => void;
}) {
  const { name, whole, chosen, take } = props;
  const { id, description = '' } = whole.case;
  // The department goes by what the case is about: its type, its place, the rules of its day.
  const type = name === 'department' ? (whole.case.type ?? '') : '';
  const [refused, setRefused] = useState(false);
  const { found, failed } = useSuggestions(
    description,
    type,
    name === 'department' ? { id, seen: whole.seen } : null,
  );
  const offers = (name === 'type' ? found?.types : found?.departments) ?? [];
  const offered = offers.map(({ value }) => value).join();
  // With what is shown: a key that is pressed at once must do what it stands beside.
  useLayoutEffect(() => {
    if (!offers.length || refused) return;
    return offerKeys(
      ...takeKeys.slice(0, offers.length).map(({ key, message }, index) => ({
        key,
        message,
        inLists: true,
        act: () => take(offers[index]?.value ?? ''),
      })),
      {
        key: refuseKey,
        message: 'intake.keys.refuse',
        inLists: true,
        act: () => setRefused(true),
      },
    );
  }, [offered, refused]);
  if (!description && !type) return null;
  if (failed) return <p class="small quiet">{t('intake.unread')}</p>;
  if (!found) return <p class="small quiet">…</p>;
  if (!offers.length) {
    const unknown = name === 'type' && !found.known;
    return <p class="small quiet">{t(unknown ? 'intake.none.word' : `intake.none.${name}`)}</p>;
  }
  if (refused) {
    return (
      <p class="small" role="status">
        {t('intake.refused')}{' '}
        <button type="button" class="button plain" onClick={() => setRefused(false)}>
          {t('intake.reconsider')}
        </button>
      </p>
    );
  }
  const label = t(`intake.suggested.${name}`);
  return (
    <div class="suggested" data-suggested={name}>
      <p class="small quiet">{label}</p>
      <Offers
        offers={offers}
        label={label}
        chosen={chosen}
        keyOf={(index) => takeKeys[index]?.key ?? ''}
        whyOf={(offer) => whyText(name, offer)}
        take={take}
      />
      <button type="button" class="button plain" data-refuse onClick={() => setRefused(true)}>
        {t('intake.refuse')} <kbd>{refuseKey}</kbd>
      </button>
    </div>
  );
}

function whyText(name: 'type' | 'department', { because, ruled }: Suggested): string {
  if (ruled) {
    const { version, row } = ruled;
    return t('intake.because.rule', { title: nameText(ruled.title) || ruled.table, version, row });
  }
  if (!because.length) return '';
  const words = because.map((word) =>
    name === 'type' ? t('intake.quoted', { word }) : typeTitle(word),
  );
  return t(`intake.because.${name}`, { words: listText(words) });
}
