import { t } from '../../lib/i18n';
import { trail } from '../../state/trail';
import { ObjectLink } from './ObjectLink';

/** The way that led here from object to object, to be walked back. */
export function Trail({ id }: { id: string }) {
  const before = trail.value.filter((step) => step.id !== id);
  const at = trail.value.findIndex((step) => step.id === id);
  const steps = at < 0 ? before : trail.value.slice(0, at);
  if (!steps.length) return null;
  return (
    <nav class="trail" aria-label={t('panel.trail')}>
      <ol>
        {steps.map((step) => (
          <li key={step.id}>
            <ObjectLink head={step} typed={false} />
          </li>
        ))}
      </ol>
    </nav>
  );
}
