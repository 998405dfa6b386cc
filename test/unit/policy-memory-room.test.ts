import { expect, it, vi } from 'vitest';
import { makeRoomToGenerate, makeRoomToTrain } from '../../policy/engine/memory-room.ts';
import { createPolicyMemory, type PolicyMemory } from '../../policy/engine/policy-memory.ts';
import { createGenerator } from '../../policy/generation/generator.ts';
import { initialWeights } from '../../policy/models/initial-weights.ts';
import { TINY } from './support/tiny-policy.ts';

const MB = 1e6;
const rss = (): number => process.memoryUsage.rss();
const limited = (limit: number | null, recompute = false) => ({ limit, strict: true, recompute });

async function holding() {
  const memory = await createPolicyMemory({ device: 'cpu', threads: 1 });
  const { runtime } = memory;
  const base = { architecture: TINY, weights: initialWeights(TINY.traits, 1) };
  const [generator, other] = [1, 2].map(() => createGenerator({ ...TINY, runtime }));
  memory.bases.set('one', { ...base, generator: generator! });
  memory.bases.set('other', { ...base, generator: other! });
  const closed = [generator!, other!].map((each) => vi.spyOn(each, 'close'));
  const calls = () => closed.map(({ mock }) => mock.calls.map(([but]) => but));
  return { memory, generator: generator!, calls };
}

/** Megabytes that nobody needs any more. */
function waste(megabytes: number): void {
  const arrays = Array.from({ length: megabytes / 20 }, () => new Float32Array(5e6).fill(1));
  expect(arrays.length * 20).toBe(megabytes);
}

it('nothing is closed where there is room', async () => {
  const { memory, generator, calls } = await holding();
  for (const limit of [null, rss() + 2000 * MB]) {
    await makeRoomToTrain(memory, 100 * MB, limited(limit));
    const used = { generator, choice: 'sampled' } as const;
    await makeRoomToGenerate(memory, 100 * MB, limited(limit), used);
  }
  expect(calls()).toEqual([[], []]);
});

it('sessions are closed where there is not enough, but those that are used next', async () => {
  const { memory, generator, calls } = await holding();
  const little = limited(rss() / 2);
  await makeRoomToGenerate(memory, 0, little, { generator, choice: 'greedy' });
  expect(calls()).toEqual([['greedy'], [undefined]]);
  await makeRoomToTrain(memory, 0, little);
  expect(calls()[0]).toEqual(['greedy', undefined]);
  // Memory ran out, whatever the limit says.
  await makeRoomToTrain(memory, 0, limited(null, true));
  expect(calls()[0]).toEqual(['greedy', undefined, undefined]);
});

it.each<[string, (memory: PolicyMemory, limit: number) => Promise<void>]>([
  ['training', async (memory, limit) => makeRoomToTrain(memory, 100 * MB, limited(limit))],
  [
    'generation',
    async (memory, limit) => {
      const { generator } = memory.bases.get('one')!;
      const used = { generator, choice: 'greedy' } as const;
      await makeRoomToGenerate(memory, 100 * MB, limited(limit), used);
    },
  ],
])('what waits to be collected makes room for %s, and no session is closed', async (_, make) => {
  const { memory, calls } = await holding();
  const before = rss();
  waste(600);
  expect(rss()).toBeGreaterThan(before + 500 * MB);
  await make(memory, before + 400 * MB);
  expect(rss()).toBeLessThan(before + 300 * MB);
  expect(calls()).toEqual([[], []]);
});
