import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { t } from '../../lib/i18n';

type Code = 'coming' | 'there' | 'failed';

/** A component whose code comes when it is first shown. */
export function later(load: () => Promise<ComponentType>): ComponentType {
  let Found: ComponentType | null = null;
  return function Later() {
    const [code, setCode] = useState<Code>(Found ? 'there' : 'coming');
    useEffect(() => {
      if (code !== 'coming') return;
      load().then(
        (found) => {
          Found = found;
          setCode('there');
        },
        () => setCode('failed'),
      );
    }, [code]);
    if (Found) return <Found />;
    if (code === 'coming') return null;
    return (
      <div class="section" role="alert">
        <p>{t('error.code')}</p>
        <button type="button" class="button" onClick={() => setCode('coming')}>
          {t('error.retry')}
        </button>
      </div>
    );
  };
}
