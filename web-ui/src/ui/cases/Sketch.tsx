import { letterOf, metresText } from '../../lib/intake';
import { t } from '../../lib/i18n';
import { sketchOf } from '../../lib/sketch';
import type { Alike } from '../../api/insights';

const side = 150;

/** Where they lie, drawn to scale: on a small screen the case lies over the map. */
export function Sketch(props: {
  from: [lon: number, lat: number];
  alike: readonly Alike[];
  chosen: number;
}) {
  const { from, alike, chosen } = props;
  const { places, bar } = sketchOf(
    from,
    alike.map(({ location }) => location),
    side,
  );
  const half = side / 2;
  const to = places[chosen];
  return (
    <svg
      class="case-sketch"
      viewBox={`0 0 ${side} ${side}`}
      role="img"
      aria-label={t('intake.alike.sketch')}
    >
      {to && <line class="pair" x1={half} y1={half} x2={to.x} y2={to.y} />}
      <circle class="this" cx={half} cy={half} r={6} />
      {places.map(({ x, y }, index) => (
        <g key={alike[index]?.case}>
          <circle class="other" data-chosen={index === chosen} cx={x} cy={y} r={8} />
          <text class="letter" x={x} y={y + 4}>
            {letterOf(index)}
          </text>
        </g>
      ))}
      <path class="bar" d={`M8 ${side - 12}v4h${bar.pixels}v-4`} />
      <text x={12 + bar.pixels} y={side - 6}>
        {metresText(bar.metres)}
      </text>
    </svg>
  );
}
