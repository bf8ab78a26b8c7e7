import { shapes } from '../../lib/symbols';
import type { LayerState } from '../../state/store';

/** A layer's mark as the legend shows it: the same shape, dash and colour that the map draws. */
export function LayerSymbol({ state }: { state: LayerState }) {
  const { role, mark, layer } = state;
  return (
    <svg class="symbol" viewBox="0 0 24 24" aria-hidden="true">
      {role !== 'object' ? (
        <rect class={`ground ground-${role}`} x="2.5" y="5" width="19" height="14" rx="2" />
      ) : layer.geometry === 'LineString' ? (
        <line
          x1="2"
          y1="12"
          x2="22"
          y2="12"
          stroke={mark.colour}
          stroke-width="3.5"
          stroke-dasharray={
            mark.dash.length > 1 ? mark.dash.map((n) => n * 2.4).join(' ') : undefined
          }
        />
      ) : layer.geometry === 'Polygon' ? (
        <rect
          x="3"
          y="5"
          width="18"
          height="14"
          fill={mark.colour}
          fill-opacity="0.22"
          stroke={mark.colour}
          stroke-width="2"
          stroke-dasharray={mark.dash.length > 1 ? mark.dash.join(' ') : undefined}
        />
      ) : (
        <path class="mark" d={shapes[mark.shape]} fill={mark.colour} />
      )}
    </svg>
  );
}
