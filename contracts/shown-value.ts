import { cutText } from './cut-text.ts';

/** Of a name or value that a message repeats. */
const SHOWN_LENGTH = 60;

/** A value as a message repeats it: on one line, short, whatever it is. */
export function shown(value: unknown): string {
  try {
    return inShort(JSON.stringify(value) ?? String(value));
  } catch {
    // Circular (YAML's aliases), or nested so deep that it cannot be written.
    return 'a value that cannot be shown';
  }
}

/** A name as a message repeats it. */
export function inShort(text: string): string {
  return cutText(text.replaceAll(/\s+/g, ' '), SHOWN_LENGTH);
}
