import { hashSeed, seededRandom } from '../../contracts/hash.ts';

/** What a kill can hit. The policy thread lives in the worker's process. */
export const TARGETS = ['worker', 'postgres', 'temporal', 'cli'] as const;
export type Target = (typeof TARGETS)[number];

/** One blow: at once, or as near to it as signals go. */
export interface Blow {
  /** Milliseconds since the blow before, or since the run began. */
  readonly after: number;
  readonly targets: readonly Target[];
}

/** How long the blow before may lie back, in ms, and how often: recovery itself is hit, then work, and sometimes all comes to rest. */
const GAPS = [
  { share: 0.35, from: 0, to: 4_000 },
  { share: 0.45, from: 0, to: 16_000 },
  { share: 0.2, from: 16_000, to: 40_000 },
] as const;
/** The worker has all the work, and nobody misses the command. */
const WEIGHTS: Readonly<Record<Target, number>> = { worker: 4, postgres: 2, temporal: 2, cli: 2 };

/** A seeded sequence of blows without end: one target mostly, often two, now and then everything, as when the power fails. */
export function* killPlan(seed: number): Generator<Blow> {
  const random = seededRandom(hashSeed('chaos', seed));
  for (;;) {
    let mark = random();
    const { from, to } = GAPS.find(({ share }) => (mark -= share) < 0) ?? GAPS[0];
    const after = Math.round(from + random() * (to - from));
    const kind = random();
    const count = kind < 0.6 ? 1 : kind < 0.9 ? 2 : TARGETS.length;
    yield { after, targets: pick(count, random) };
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
