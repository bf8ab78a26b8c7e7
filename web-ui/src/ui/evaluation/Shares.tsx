import type { Counts, Evaluation, Indicator, Score } from '../../api/evaluation';
import { type ShareKind, sharesOf } from '../../lib/evaluation';
import { listText, plural, t } from '../../lib/i18n';
import { nameText } from '../../lib/names';

/** What a figure is made of, as a bar; `of` is what a whole bar stands for. The words stand beside it. */
export function Bar(props: { counts: Counts; better: Indicator['better']; of?: number }) {
  const { counts, better } = props;
  const shares = sharesOf(counts, better);
  const total = shares.reduce((sum, { count }) => sum + count, 0);
  const whole = props.of ?? total;
  if (!total) return null;
  return (
    <span class="shares" aria-hidden="true">
      {shares.map(({ kind, count }) => (
        // Never nothing: one late case among thousands is to be seen.
        <span
          key={kind}
          data-share={kind}
          style={{ width: `max(${(100 * count) / whole}%, 3px)` }}
        />
      ))}
    </span>
  );
}

/** The same upright, a column a step, its height by how many. */
export function Columns(props: {
  steps: readonly { since: string; counts: Counts }[];
  better: Indicator['better'];
}) {
  const { steps, better } = props;
  const sums = steps.map(({ counts }) =>
    sharesOf(counts, better).reduce((sum, { count }) => sum + count, 0),
  );
  const most = Math.max(...sums);
  if (!most) return null;
  return (
    <span class="columns" aria-hidden="true">
      {steps.map(({ since, counts }) => (
        <span key={since} class="column">
          {sharesOf(counts, better)
            .reverse()
            .map(({ kind, count }) => (
              <span
                key={kind}
                data-share={kind}
                style={{ height: `max(${(100 * count) / most}%, 2px)` }}
              />
            ))}
        </span>
      ))}
    </span>
  );
}

const kinds: ShareKind[] = ['good', 'bad', 'plain', 'other', 'apart'];

export function Legend() {
  return (
    <ul class="share-legend small" aria-label={t('evaluation.legend')}>
      {kinds.map((kind) => (
        <li key={kind}>
          <span class="share-sign" data-share={kind} aria-hidden="true" />
          {t(`evaluation.share.${kind}`)}
        </li>
      ))}
    </ul>
  );
}

const reasons = [
  'withoutPromise',
  'onAccount',
  'undone',
  'exempt',
  'undecided',
  'overdueAndNotFiled',
  'withoutPlace',
  'notReported',
] as const;
type Reason = (typeof reasons)[number];

export const isReason = (why: string): why is Reason =>
  (reasons as readonly string[]).includes(why);

/** How many are told apart for a reason. */
export const apartText = (why: string, count: number): string =>
  isReason(why) ? plural(`evaluation.apart.${why}`, count) : `${why}: ${count}`;

/** Why there is no value. */
export const noValueText = ({ why }: Counts): string =>
  t(why === 'notReported' ? 'evaluation.notReported' : 'evaluation.nothing');

/** Why there is no score: which of its parts have no value. */
export function noScoreText({ indicators }: Evaluation, { missing }: Score): string {
  const names = missing.map(
    (id) => nameText(indicators.find((each) => each.id === id)?.title) || id,
  );
  return t('evaluation.noScore', { missing: listText(names) });
}
