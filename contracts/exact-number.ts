/** A number as a text had it: JavaScript's own numbers lose digits beyond 2^53, and whether there was a point. */
export class ExactNumber {
  /** A number in JSON's notation. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What a JSON text or a Python literal holds, with numbers as they were written. */
export type ExactValue =
  null | boolean | string | ExactNumber | readonly ExactValue[] | ExactRecord;

/** An object of {@link ExactValue}s. */
export interface ExactRecord {
  readonly [key: string]: ExactValue;
}
