import { hashSeed, seededRandom } from '../../contracts/hash.ts';

/** What a kill can hit. The policy thread lives in the worker's process. */
export const TARGETS = ['worker', 'postgres', 'temporal', 'cli'] as const;
export type Target = (typeof TARGETS)[number];

/** One blow: at once, or as near to it as signals go. */
export interface Blow {
  /** Whether it waits until the policy engine computes again, or falls while all still recovers from the blow before. */
  readonly moment: 'computing' | 'recovering';
  /** Milliseconds after that, or after the blow before. */
  readonly after: number;
  readonly targets: readonly Target[];
}

/** How often each moment, and the longest time after it, in ms. */
const RECOVERING = { share: 0.35, span: 6_000 };
const COMPUTING_SPAN = 3_000;
/** The worker has all the work, and nobody misses the command. */
const WEIGHTS: Readonly<Record<Target, number>> = { worker: 4, postgres: 2, temporal: 2, cli: 2 };

/** A seeded sequence of blows without end: one target mostly, often two, now and then everything, as when the power fails. */
export function* killPlan(seed: number): Generator<Blow> {
  const random = seededRandom(hashSeed('chaos', seed));
  for (;;) {
    const moment = random() < RECOVERING.share ? 'recovering' : 'computing';
    const span = moment === 'computing' ? COMPUTING_SPAN : RECOVERING.span;
    const after = Math.round(random() * span);
    const kind = random();
    const count = kind < 0.6 ? 1 : kind < 0.9 ? 2 : TARGETS.length;
    yield { moment, after, targets: pick(count, random) };
  }
}

/** So many different targets, by weight. */
function pick(count: number, random: () => number): Target[] {
  const left = [...TARGETS];
  const picked: Target[] = [];
  while (picked.length < count) {
    let mark = random() * left.reduce((sum, each) => sum + WEIGHTS[each], 0);
    const index = left.findIndex((each) => (mark -= WEIGHTS[each]) < 0);
    picked.push(...left.splice(Math.max(0, index), 1));
  }
  return picked;
}
