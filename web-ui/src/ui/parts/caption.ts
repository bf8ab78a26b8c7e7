/** What a map says about itself when it leaves the page: title, time, scale and whose data it is. */
import { clockText, numberText, timeText } from '../../lib/format';
import { t } from '../../lib/i18n';
import { nameText } from '../../lib/names';
import { nodeNow } from '../../lib/nodetime';
import { scaleBar } from '../../lib/scale';
import { instant } from '../../state/instant';
import { city, map } from '../../state/store';
import { type Group, legendGroups } from './entries';

export interface Caption {
  title: string;
  /** The shown time, with its zone. */
  time: string;
  scale: { pixels: number; text: string };
  attribution: string;
  legend: Group[];
}

const widestScale = 120;

export function captionOf(): Caption {
  const now = instant.value || nodeNow();
  const { zone } = clockText(new Date(now).getTime());
  const bar = scaleBar(map.value?.metresPerPixel() ?? 1, widestScale);
  const [length, unit] = bar.metres >= 1000 ? [bar.metres / 1000, 'km'] : [bar.metres, 'm'];
  const place = city.value;
  const credits = (place?.attribution ?? []).map(({ name, licence }) =>
    licence ? `${name} (${licence})` : name,
  );
  return {
    title: nameText(place?.name),
    time: t(instant.value ? 'picture.then' : 'picture.now', {
      time: t('time.valueText', { time: timeText(now, 'short'), zone }),
    }),
    scale: { pixels: bar.pixels, text: `${numberText(length)} ${unit}` },
    attribution: [...credits, place?.datum ?? '', 'Cityloom'].filter(Boolean).join(' · '),
    legend: legendGroups(),
  };
}
