import { cutText } from '../../contracts/cut-text.ts';

/** Of a value that a message repeats. */
const SHOWN_LENGTH = 80;

/** A value of a file as JSON, as long as a message should be. */
export function inBrief(value: unknown): string {
  return cutText(JSON.stringify(value) ?? String(value), SHOWN_LENGTH);
}
