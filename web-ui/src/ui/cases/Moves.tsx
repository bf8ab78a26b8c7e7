import { useEffect, useRef, useState } from 'preact/hooks';
import { addPhoto, type CaseMove, type CaseWhole, moveCase } from '../../api/cases';
import { ApiError } from '../../api/http';
import { t } from '../../lib/i18n';
import { nameText } from '../../lib/names';
import { departmentTitle, isOfPeople, moveTitle, roleTitle } from '../../state/cases';
import { say } from '../../state/notice';
import { view } from '../../state/view';
import { Field, valuesOf } from './Field';
import { refusal } from './parts';

const nameOf = ({ move, role, actingFor = '' }: CaseMove): string => `${move} ${role} ${actingFor}`;

/** A move that another part of the page asks for, with what its form begins with; made by the reader alone. */
export interface AskedMove {
  move: string;
  texts: Record<string, string>;
}

/** What the reader may do with the case now; what a move needs is asked for before it is made. */
export function Moves(props: { whole: CaseWhole; renew: () => void; asked: AskedMove | null }) {
  const { whole, renew, asked } = props;
  const [chosen, setChosen] = useState('');
  const [begun, setBegun] = useState<AskedMove | null>(null);
  const [filled, setFilled] = useState<Record<string, string>>({});
  const [said, setSaid] = useState('');
  const [busy, setBusy] = useState(false);
  const title = useRef<HTMLHeadingElement>(null);
  const lookedAt = useRef(0);
  const { number } = view.value.cases;
  const { seen } = whole;
  const moves = whole.moves.filter(({ role }) => isOfPeople(role));
  const now = moves.find((each) => nameOf(each) === chosen);
  const groups = new Map<string, CaseMove[]>();
  for (const each of moves) {
    const who = [each.role, each.actingFor ?? ''].join(':');
    groups.set(who, [...(groups.get(who) ?? []), each]);
  }

  // Whoever fills in a form must not decide on a case that is another one by now without a word.
  useEffect(() => {
    if (!chosen || busy || seen === lookedAt.current) return;
    lookedAt.current = seen;
    setSaid(t(now ? 'cases.meanwhile' : 'cases.meanwhile.gone'));
    if (!now) setChosen('');
  }, [seen]);

  const { type = '', department = '' } = whole.case;
  const open = (each: CaseMove, with_: AskedMove | null): void => {
    setSaid('');
    lookedAt.current = seen;
    setBegun(with_);
    setFilled({ type, department });
    setChosen(nameOf(each));
  };
  useEffect(() => {
    const wanted = asked && moves.find(({ move }) => move === asked.move);
    if (wanted) open(wanted, asked);
  }, [asked]);

  const make = async (move: CaseMove, form: HTMLFormElement | null): Promise<void> => {
    if (busy) return;
    setBusy(true);
    setSaid('');
    try {
      const { photos, values } = valuesOf(move, form);
      const added = await Promise.all(photos.map((photo) => addPhoto(number, photo)));
      const evidence = [...((values.evidence as string[]) ?? []), ...added.map(({ id }) => id)];
      await moveCase(number, {
        ...values,
        ...(evidence.length ? { evidence } : {}),
        move: move.move,
        seen,
        role: move.role,
        ...(move.actingFor ? { actingFor: move.actingFor } : {}),
      });
      say(t('cases.moved', { move: moveTitle(move.move) }));
      setChosen('');
      title.current?.focus();
    } catch (thrown) {
      setSaid(refusal(thrown));
      // Somebody else was first: what was filled in is for a case that is no more.
      if (thrown instanceof ApiError && thrown.status === 409) setChosen('');
    } finally {
      setBusy(false);
      renew();
    }
  };

  return (
    <section class="case-moves" aria-labelledby="case-moves">
      <h3 id="case-moves" tabIndex={-1} ref={title}>
        {t('cases.moves')}
      </h3>
      <div role="alert">{said && <p class="note warn">{said}</p>}</div>
      {!moves.length && <p class="quiet small">{t('cases.noMoves')}</p>}
      {[...groups].map(([who, list]) => {
        const [role = '', whom = ''] = who.split(':');
        return (
          <div key={who} class="case-move-group" role="group" aria-label={whoText(role, whom)}>
            <span class="small quiet">{whoText(role, whom)}</span>
            <div class="case-buttons">
              {list.map((each) => (
                <button
                  key={each.move}
                  type="button"
                  class="button"
                  data-move={each.move}
                  aria-expanded={needsForm(each) ? nameOf(each) === chosen : undefined}
                  disabled={busy}
                  onClick={() => {
                    setSaid('');
                    if (!needsForm(each)) void make(each, null);
                    else if (nameOf(each) === chosen) setChosen('');
                    else open(each, null);
                  }}
                >
                  {nameText(each.title)}
                  {needsForm(each) ? ' …' : ''}
                </button>
              ))}
            </div>
            {now && list.includes(now) && (
              <form
                // Another case to merge into is another form.
                key={`${chosen} ${begun?.texts.into ?? ''}`}
                class="case-form"
                aria-label={nameText(now.title)}
                onChange={({ target, currentTarget }) => {
                  const { name } = target as HTMLInputElement;
                  if (!(target instanceof HTMLSelectElement) && name !== 'departments') return;
                  const given = new FormData(currentTarget).getAll(name).join(' ');
                  setFilled((before) => ({ ...before, [name]: given }));
                }}
                onKeyDown={(event) => {
                  // The form first, the case after it.
                  if (event.key !== 'Escape') return;
                  event.stopPropagation();
                  setChosen('');
                  title.current?.focus();
                }}
                onSubmit={(event) => {
                  event.preventDefault();
                  void make(now, event.currentTarget);
                }}
              >
                {[...now.needs, ...now.takes].map((name, index) => (
                  <Field
                    key={name}
                    name={name}
                    required={now.needs.includes(name)}
                    first={index === 0}
                    move={now}
                    whole={whole}
                    chosen={filled}
                    text={begun?.texts[name] ?? ''}
                  />
                ))}
                <div class="case-buttons">
                  <button type="submit" class="button primary" disabled={busy}>
                    {nameText(now.title)}
                  </button>
                  <button
                    type="button"
                    class="button plain"
                    onClick={() => {
                      setChosen('');
                      title.current?.focus();
                    }}
                  >
                    {t('cases.cancel')}
                  </button>
                </div>
              </form>
            )}
          </div>
        );
      })}
    </section>
  );
}

const needsForm = ({ needs, takes }: CaseMove): boolean => needs.length + takes.length > 0;

const whoText = (role: string, whom: string): string =>
  whom
    ? t('cases.roleOf', { role: roleTitle(role), department: departmentTitle(whom) })
    : roleTitle(role);
