import type { Geometry } from 'geojson';
import type { Row } from '../../lib/entity';
import { numberText, placeText, quantity, timeText } from '../../lib/format';
import { positions } from '../../lib/geometry';
import { known, t } from '../../lib/i18n';
import { inLanguage } from '../../lib/names';

/** One value as text: nothing that stands in data is ever more than text here. */
export function Value({ row: { shown, unitCode } }: { row: Row }) {
  switch (shown.kind) {
    case 'number':
      return <span class="number">{quantity(shown.value, unitCode)}</span>;
    case 'boolean':
      return <span>{t(shown.value ? 'panel.yes' : 'panel.no')}</span>;
    case 'time':
      return (
        <time dateTime={shown.value} title={timeText(shown.value)}>
          {timeText(shown.value, 'short')}
        </time>
      );
    case 'language':
      return <span dir="auto">{inLanguage(shown.value)}</span>;
    case 'geometry':
      return <span class="number">{geometryText(shown.value)}</span>;
    case 'json':
      return <pre class="json">{shown.value}</pre>;
    case 'links':
      return <span>{shown.value.join(', ')}</span>;
    default:
      return <span dir="auto">{wordOf(shown.value)}</span>;
  }
}

/** A state that the standard models name ("on", "off") in the reader's language, else as it is. */
export function wordOf(value: string): string {
  return known(`value.${value}`) ?? value;
}

function geometryText(geometry: Geometry | null): string {
  if (geometry?.type === 'Point') {
    const [lon = 0, lat = 0] = geometry.coordinates;
    return placeText(lon, lat, 6);
  }
  if (!geometry) return '';
  const count = [...positions(geometry)].length;
  const kind = known(`geometry.${geometry.type}`) ?? geometry.type;
  return t('panel.geometry.other', { kind, count: numberText(count) });
}
