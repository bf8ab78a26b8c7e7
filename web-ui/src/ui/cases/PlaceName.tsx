import { useEffect, useState } from 'preact/hooks';
import { readPlace } from '../../api/insights';
import { placeText } from '../../lib/format';
import { t } from '../../lib/i18n';
import { nameText } from '../../lib/names';
import { useRead } from '../parts/useRead';

/** So long a place stands still before it is asked about. */
const settleAfter = 300;

/** What people call a place, where the city holds something near by that has a name; its coordinates in any case. */
export function PlaceName({ place }: { place: [lon: number, lat: number] }) {
  const [settled, setSettled] = useState(place);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(place), settleAfter);
    return () => clearTimeout(timer);
  }, [place]);
  const { body } = useRead(
    settled.join(' '),
    async (stop) => (await readPlace(settled, stop)).body.near,
  );
  // Of the place before, nothing is said of this one.
  const near = settled === place ? nameText(body?.name) : '';
  const degrees = placeText(place[0], place[1], 5);
  return near ? (
    <>
      <p class="strong" data-near>
        {t('report.place.near', { name: near })}
      </p>
      <p class="small quiet">{degrees}</p>
    </>
  ) : (
    <p>{degrees}</p>
  );
}
