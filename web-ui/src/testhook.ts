/** What a test in a browser cannot see in the document: the state of the drawn map. Read only. */
import { anchorOf } from './lib/geometry';
import { allRead, findFeature, live, map } from './state/store';

export interface TestHook {
  /** The map has drawn every shown layer and is at rest. */
  ready(): boolean;
  /** The map waits for nothing, whether all that it asked for came or not. */
  resting(): boolean;
  live(): string;
  /** How many objects of a type are on the screen. */
  rendered(type: string): number;
  /** Where the map has an object: lon and lat of a point or of a place within it. */
  placeOf(id: string): number[] | null;
  /** Where an object is on the page, in CSS pixels. */
  pixelOf(id: string): [x: number, y: number] | null;
  /** The colour that is drawn where an object is: "#rrggbb". */
  colourOf(id: string): string | null;
}

declare global {
  interface Window {
    __cityloom?: TestHook;
  }
}

function pixelOf(id: string): [x: number, y: number] | null {
  const feature = findFeature(id)?.feature;
  const place = feature ? anchorOf(feature.geometry) : null;
  return place && map.value ? map.value.pixelOf(place as [number, number]) : null;
}

function colourOf(id: string): string | null {
  const at = pixelOf(id);
  const picture = at && map.value?.picture();
  const box = document.querySelector('.map')?.getBoundingClientRect();
  if (!at || !picture || !box || !map.value) return null;
  const ratio = picture.width / map.value.width();
  const [x, y] = [(at[0] - box.left) * ratio, (at[1] - box.top) * ratio];
  const data = picture.getContext('2d')?.getImageData(Math.round(x), Math.round(y), 1, 1).data;
  const hex = (part: number): string => part.toString(16).padStart(2, '0');
  return data ? `#${[...data].slice(0, 3).map(hex).join('')}` : null;
}

export function offerTestHook(): void {
  window.__cityloom = {
    ready: () => map.value?.resting() === true && allRead(),
    resting: () => map.value?.resting() === true,
    live: () => live.value,
    rendered: (type) => map.value?.rendered(type) ?? 0,
    placeOf: (id) => {
      const feature = findFeature(id)?.feature;
      return feature ? anchorOf(feature.geometry) : null;
    },
    pixelOf,
    colourOf,
  };
}
