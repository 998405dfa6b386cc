/** Of a value that a message repeats. */
const SHOWN_LENGTH = 80;

/** A value of a file as JSON, as long as a message should be. */
export function inBrief(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text;
}
