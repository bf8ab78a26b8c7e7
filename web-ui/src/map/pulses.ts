/** Rings around places where something has just changed. */
import type { Feature, FeatureCollection, Position } from 'geojson';

const pulseTime = 1_400;
const mostPulses = 300;

export class Pulses {
  private readonly rings = new Map<string, { place: Position; since: number }>();
  private beating = false;

  constructor(private readonly draw: (rings: FeatureCollection) => void) {}

  ring(id: string, place: Position): void {
    if (this.rings.size >= mostPulses && !this.rings.has(id)) return;
    this.rings.set(id, { place, since: performance.now() });
    if (this.beating) return;
    this.beating = true;
    requestAnimationFrame(this.beat);
  }

  private readonly beat = (now: number): void => {
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const features: Feature[] = [];
    for (const [id, { place, since }] of this.rings) {
      const age = Math.max(0, (now - since) / pulseTime);
      if (age >= 1) this.rings.delete(id);
      else {
        features.push({
          type: 'Feature',
          geometry: { type: 'Point', coordinates: place },
          properties: { age: still ? 0.4 : age },
        });
      }
    }
    this.draw({ type: 'FeatureCollection', features });
    this.beating = this.rings.size > 0;
    // A tenth of a second is smooth enough for a ring, and light enough for a telephone.
    if (this.beating) setTimeout(() => requestAnimationFrame(this.beat), still ? 400 : 80);
  };
}
