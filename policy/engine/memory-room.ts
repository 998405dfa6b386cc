import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { TrainingMemory } from '../../contracts/policy.ts';
import type { Generator } from '../generation/generator.ts';
import type { Choice } from '../generation/graph-interface.ts';
import type { PolicyMemory } from './policy-memory.ts';

/*
 * Sessions keep the memory of their largest runs, so that the next run need not ask for it. Those of generation, of sampled and of greedy
 * completions, and those of training together may be more than the limit: then, and only then, others than those that are needed next are
 * released. A large policy's take a second to open.
 */

/** Before training makes the process grow by so many bytes. */
export async function makeRoomToTrain(
  memory: PolicyMemory,
  growth: number,
  { limit, recompute }: TrainingMemory,
): Promise<void> {
  // Memory ran out before, whatever the limit said.
  const most = recompute ? 0 : limit;
  await release(growth, most, [collectGarbage, () => closeGenerators(memory)]);
}

/** Before the generator makes the process grow by so many bytes. @param used what it completes with */
export async function makeRoomToGenerate(
  memory: PolicyMemory,
  growth: number,
  { limit }: TrainingMemory,
  used: UsedSessions,
): Promise<void> {
  await release(growth, limit, [
    collectGarbage,
    () => closeGenerators(memory, used),
    async () => memory.held?.trainer.releaseSession(),
  ]);
}

interface UsedSessions {
  readonly generator: Generator;
  readonly choice: Choice;
}

/** One after the other, until the process may grow by so many bytes. @param limit null: none */
async function release(
  growth: number,
  limit: number | null,
  steps: readonly (() => Promise<void> | void)[],
): Promise<void> {
  for (const step of steps) {
    if (limit === null || process.memoryUsage.rss() + growth <= limit) return;
    await step();
  }
}

async function closeGenerators({ bases }: PolicyMemory, used?: UsedSessions): Promise<void> {
  for (const { generator } of bases.values()) {
    await generator.close(generator === used?.generator ? used.choice : undefined);
  }
}

/** Gigabytes of keys and values may wait for it: V8 collects them when it allocates, which a graph's run does not do. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  // The first one finds the arrays, the second one waits until they are freed.
  collect();
  collect();
}
