import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import { type CaseWhole, numberOf } from '../../api/cases';
import { type Alike as AlikeCase, notTheSame, readAlike } from '../../api/insights';
import { t } from '../../lib/i18n';
import { apartText, letterOf, metresText } from '../../lib/intake';
import { nameText } from '../../lib/names';
import { caseType, drawAlike, goCases, showAlike, stateTitle } from '../../state/cases';
import { offerKeys } from '../../state/keys';
import { newsOf } from '../../state/news';
import { say } from '../../state/notice';
import { map } from '../../state/store';
import { view } from '../../state/view';
import { useRead } from '../parts/useRead';
import { refusal } from './parts';
import { Sketch } from './Sketch';
import './intake.css';

/**
 * Cases that may be the same as the chosen one, beside it on the map; whether they are is said by the reader.
 *
 * @param merge opens the form of the move, with the number of the other case and a reason
 */
export function Alike(props: { whole: CaseWhole; merge: (into: string, reason: string) => void }) {
  const { whole, merge } = props;
  const { number, as } = view.value.cases;
  const [chosen, setChosen] = useState('');
  const [looked, setLooked] = useState(0);
  const [said, setSaid] = useState('');
  const { body, error } = useRead(
    number,
    async (stop) => (await readAlike(number, stop)).body,
    newsOf(caseType) + looked,
  );
  const list = body?.duplicates ?? [];
  const one = list.find((each) => each.case === chosen) ?? list[0];
  const mayMerge = whole.moves.some(({ move }) => move === 'merge');
  const from = whole.case.location;
  const told = list.map((each) => `${each.case} ${each.distance}`).join();
  const drawn = map.value;
  useEffect(() => {
    const marks = list.map((each, index) => ({
      place: each.location,
      letter: letterOf(index),
      distance: metresText(each.distance),
    }));
    drawAlike(from ?? null, marks, one ? letterOf(list.indexOf(one)) : '');
  }, [told, one?.case, drawn]);
  useEffect(() => () => drawAlike(null, [], ''), []);

  const isSame = (each: AlikeCase): void =>
    merge(
      numberOf(each.case),
      t('intake.alike.reason', { number: numberOf(each.case), reason: nameText(each.reason) }),
    );
  const isNot = async (each: AlikeCase): Promise<void> => {
    setSaid('');
    try {
      await notTheSame(number, numberOf(each.case), as.split(':')[0] ?? '');
      say(t('intake.alike.kept', { number: numberOf(each.case) }));
      document.getElementById('case-alike')?.focus();
    } catch (thrown) {
      setSaid(refusal(thrown));
    } finally {
      setLooked((count) => count + 1);
    }
  };
  // With the list: a key acts on what is shown.
  useLayoutEffect(() => {
    if (!one || !mayMerge) return;
    return offerKeys(
      { key: 'm', message: 'intake.keys.merge', act: () => (one.open ? isSame(one) : false) },
      { key: 'n', message: 'intake.keys.notSame', act: () => void isNot(one) },
    );
  }, [one?.case, one?.open, mayMerge, number, as]);

  if (error) return <p class="small quiet">{t('intake.alike.unread')}</p>;
  if (!list.length && !said) return null;
  return (
    <section class="case-alike" aria-labelledby="case-alike">
      <h3 id="case-alike" tabIndex={-1}>
        {t('intake.alike')}
      </h3>
      <div role="alert">{said && <p class="note warn">{said}</p>}</div>
      {from && <Sketch from={from} alike={list} chosen={list.indexOf(one as AlikeCase)} />}
      <ul>
        {list.map((each, index) => (
          <li key={each.case} data-alike={numberOf(each.case)}>
            <button
              type="button"
              class="case-option"
              aria-pressed={each === one}
              title={t('intake.alike.show')}
              onClick={() => {
                setChosen(each.case);
                if (from) showAlike(from, each.location);
              }}
            >
              <span class="case-line">
                <span class="strong">
                  {letterOf(index)} · <span class="number">{numberOf(each.case)}</span>
                </span>
                <span>{stateTitle(each.state)}</span>
              </span>
              <span>{apartText(each)}</span>
              <span class="small quiet">{nameText(each.reason)}</span>
            </button>
            <div class="case-buttons">
              {mayMerge && each.open && (
                <button type="button" class="button" data-same onClick={() => isSame(each)}>
                  {t('intake.alike.merge')} {each === one && <kbd>M</kbd>}
                </button>
              )}
              {mayMerge && (
                <button type="button" class="button" data-not-same onClick={() => void isNot(each)}>
                  {t('intake.alike.not')} {each === one && <kbd>N</kbd>}
                </button>
              )}
              <button
                type="button"
                class="button plain"
                onClick={() => goCases({ number: numberOf(each.case) })}
              >
                {t('intake.alike.open', { number: numberOf(each.case) })}
              </button>
            </div>
            {!each.open && <p class="small quiet">{t('intake.alike.ended')}</p>}
          </li>
        ))}
      </ul>
      {body?.more && <p class="small quiet">{t('intake.alike.more')}</p>}
    </section>
  );
}
