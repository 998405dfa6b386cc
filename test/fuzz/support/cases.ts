import * as fc from 'fast-check';

/** Cases of a property in `npm test`; `npm run fuzz -- --cases N` runs as many as it is told. */
const SAMPLE = 300;

const cases = Number(process.env['TOOLSAMPLE_FUZZ_CASES'] ?? SAMPLE);
const seed = Number(process.env['TOOLSAMPLE_FUZZ_SEED'] ?? 1);

/** Real time that a single case may take on a busy machine. */
const CASE_MILLISECONDS = 15_000;

/** Time for a test of all its cases: a case takes milliseconds. */
export const FUZZ_TIMEOUT = 60_000 + cases * 100;

/**
 * Asserts a property on seeded cases. A failure prints the seed and the path that repeat it, and the smallest case found.
 * @param share of the cases that this property gets: for those that take files, less than 1
 */
export async function fuzz<T>(
  input: fc.Arbitrary<T>,
  property: (value: T) => Promise<void> | void,
  share = 1,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(input, async (value) => property(value)),
    { seed, numRuns: Math.max(1, Math.ceil(cases * share)), endOnFailure: false },
  );
}

/** Fails when a case takes longer than any should. */
export async function inTime<T>(work: () => Promise<T> | T): Promise<T> {
  const begin = performance.now();
  const result = await work();
  const took = performance.now() - begin;
  if (took > CASE_MILLISECONDS) throw new Error(`took ${Math.round(took)} ms`);
  return result;
}
