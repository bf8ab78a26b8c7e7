/** A place that was typed as two numbers. Pure. */

const part = String.raw`([NSEW]?)\s*([+-]?\d{1,3}(?:\.\d+)?)\s*°?\s*([NSEW]?)`;
const pair = new RegExp(`^${part}\\s*(?:[,;，、]|\\s)\\s*${part}$`, 'i');

/** As the page itself writes them in Chinese. */
const letters: Record<string, string> = { 北纬: 'N', 南纬: 'S', 东经: 'E', 西经: 'W' };

/**
 * Reads "42.36, -71.06" as latitude and longitude; "71.06W 42.36N" says itself which is which.
 *
 * @returns longitude and latitude in degrees, or null where the text is no place on earth
 */
export function readCoordinates(text: string): [lon: number, lat: number] | null {
  const plain = text.trim().replaceAll('−', '-');
  const found = pair.exec(plain.replace(/[北南东西][纬经]/g, (word) => letters[word] ?? word));
  if (!found) return null;
  const [, before1 = '', digits1, after1 = '', before2 = '', digits2, after2 = ''] = found;
  const first = valueOf(before1 || after1, Number(digits1));
  const second = valueOf(before2 || after2, Number(digits2));
  if ((before1 && after1) || (before2 && after2)) return null;
  const swapped = first.axis === 'lon' || second.axis === 'lat';
  if (swapped && (first.axis === 'lat' || second.axis === 'lon')) return null;
  const [lat, lon] = swapped ? [second.value, first.value] : [first.value, second.value];
  return Math.abs(lat) <= 90 && Math.abs(lon) <= 180 ? [lon, lat] : null;
}

function valueOf(letter: string, number: number): { axis: 'lat' | 'lon' | ''; value: number } {
  const upper = letter.toUpperCase();
  const value = upper === 'S' || upper === 'W' ? -number : number;
  return { axis: !upper ? '' : 'NS'.includes(upper) ? 'lat' : 'lon', value };
}
