import { createHash } from 'node:crypto';
import type { Sample } from '../contracts/sample.ts';

/** Recognises samples that were seen before: the same messages, tools and ground truth, wherever they come from. */
export class DuplicateFinder {
  readonly #seen = new Set<string>();

  /** Whether an equal sample came before; from now on, this one did. */
  seen({ messages, tools, groundTruth }: Sample): boolean {
    const key = createHash('sha256')
      .update(JSON.stringify([messages, tools ?? null, groundTruth]))
      .digest('base64');
    const known = this.#seen.has(key);
    this.#seen.add(key);
    return known;
  }
}
