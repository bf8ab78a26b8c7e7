import { useSignalEffect } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { t } from '../../lib/i18n';
import { live } from '../../state/store';

type Code = 'coming' | 'there' | 'failed';

/** The way out of what could not be loaded, where the page has no other. */
export interface Way {
  label: () => string;
  go: () => void;
}

/** A component whose code comes when it is first shown; again when the node is back. */
export function later(load: () => Promise<ComponentType>, out?: Way): ComponentType {
  let Found: ComponentType | null = null;
  return function Later() {
    const [code, setCode] = useState<Code>(Found ? 'there' : 'coming');
    const asked = useRef(false);
    useEffect(() => {
      if (code !== 'coming') return;
      load().then(
        (found) => {
          Found = found;
          setCode('there');
        },
        () => {
          // A browser may keep it that code did not come, until the page is loaded anew: the address holds the view.
          if (asked.current && live.value === 'live') location.reload();
          else setCode('failed');
        },
      );
    }, [code]);
    useSignalEffect(() => {
      if (live.value === 'live') setCode((now) => (now === 'failed' ? 'coming' : now));
    });
    if (Found) return <Found />;
    if (code === 'coming') return null;
    const again = (): void => {
      asked.current = true;
      setCode('coming');
    };
    return (
      <div class="section" role="alert">
        <p>{t('error.code')}</p>
        <p>
          <button type="button" class="button" onClick={again}>
            {t('error.retry')}
          </button>{' '}
          {out && (
            <button type="button" class="button plain" onClick={out.go}>
              <span aria-hidden="true">←</span> {out.label()}
            </button>
          )}
        </p>
      </div>
    );
  };
}
