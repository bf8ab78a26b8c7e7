/** The one time that everything on the page is shown at. */
import { signal } from '@preact/signals';

/** The past instant that is shown, ISO 8601; "" is now. Written by the time bar, read by every room. */
export const instant = signal('');
