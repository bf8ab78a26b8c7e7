/** What is wrong with a field, in the page's language: a browser says it in its own. */
import { dayText } from '../../lib/format';
import { t } from '../../lib/i18n';

type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

const isField = (target: EventTarget | null): target is Field =>
  target instanceof HTMLInputElement ||
  target instanceof HTMLSelectElement ||
  target instanceof HTMLTextAreaElement;

/** What is said of a field; "" leaves it to the browser. */
function messageOf(field: Field): string {
  const { valueMissing, typeMismatch, badInput, rangeUnderflow, rangeOverflow } = field.validity;
  const type = field instanceof HTMLInputElement ? field.type : '';
  if (valueMissing) {
    if (type === 'file') return t('field.file');
    if (badInput || type === 'date') return t('field.day');
    return t(field instanceof HTMLSelectElement ? 'field.choose' : 'field.required');
  }
  if (typeMismatch && type === 'email') return t('field.email');
  if (badInput) return t(type === 'date' ? 'field.day' : 'field.number');
  if (field instanceof HTMLInputElement && (rangeUnderflow || rangeOverflow)) {
    const { min, max } = field;
    if (type !== 'date')
      return rangeUnderflow ? t('field.least', { at: min }) : t('field.most', { at: max });
    return rangeUnderflow
      ? t('field.day.least', { at: dayText(min) })
      : t('field.day.most', { at: dayText(max) });
  }
  return '';
}

const forget = (field: Field): void => field.setCustomValidity('');

/** Of every form on the page, also of those that come later. */
export function speakOfFields(): () => void {
  const stop = new AbortController();
  const options = { capture: true, signal: stop.signal };
  addEventListener(
    'invalid',
    ({ target }) => {
      if (!isField(target)) return;
      forget(target);
      target.setCustomValidity(messageOf(target));
    },
    options,
  );
  const changed = ({ target }: Event): void => {
    if (isField(target)) forget(target);
  };
  addEventListener('input', changed, options);
  addEventListener('change', changed, options);
  // What was said holds until the form is looked at again: what makes a field valid may happen elsewhere. Enter in
  // a field presses the button, too.
  addEventListener(
    'click',
    ({ target }) => {
      const button = target instanceof Element ? target.closest('button, input') : null;
      const isSubmit =
        (button instanceof HTMLButtonElement || button instanceof HTMLInputElement) &&
        button.type === 'submit';
      for (const each of (isSubmit && button.form?.elements) || []) {
        if (isField(each)) forget(each);
      }
    },
    options,
  );
  return () => stop.abort();
}
