import { describe, expect, it } from 'vitest';
import { metresPerPixel, scaleBar } from './scale';

describe('the scale', () => {
  it('is that of the map at its latitude', () => {
    // A tile of 512 pixels at zoom 0 is the whole equator.
    expect(metresPerPixel(0, 0) * 512).toBeCloseTo(40_075_016.686, 3);
    expect(metresPerPixel(60, 10)).toBeCloseTo(metresPerPixel(0, 11), 9);
  });

  it('has a round length that fits, and no shorter one than needed', () => {
    expect(scaleBar(1, 120)).toEqual({ metres: 100, pixels: 100 });
    expect(scaleBar(30, 120)).toEqual({ metres: 2_000, pixels: 2_000 / 30 });
    for (let zoom = 0; zoom <= 20; zoom += 0.3) {
      const { metres, pixels } = scaleBar(metresPerPixel(30, zoom), 120);
      expect(String(metres)).toMatch(/^[125]0*$|^0\.0*[125]$/);
      expect(pixels).toBeLessThanOrEqual(120);
      expect(pixels).toBeGreaterThan(120 / 2.5 - 1e-9);
    }
  });
});
