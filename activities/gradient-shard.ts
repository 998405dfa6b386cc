import type { GradientShardKey, GradientShardSummary } from '../contracts/activities.ts';
import { commitGradientShard, gradientShardsOf } from '../db/gradient-shards.ts';
import { readRunAt } from '../db/setting-changes.ts';
import { findStep } from '../db/steps.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { gradientBatch } from './gradient-batch.ts';
import { engineCall } from './heartbeat.ts';

/** Computes the gradients of a part of a step's micro-batches; `gradientStep` adds them up. */
export async function gradientShard(
  deps: ActivityDependencies,
  key: GradientShardKey,
): Promise<GradientShardSummary> {
  const { db } = deps;
  const { shard, shards, ...stepKey } = key;
  const step = await findStep(db, stepKey);
  if (step === null || step.state !== 'learned') return { microBatches: 0, seconds: 0 };
  const done = (await gradientShardsOf(db, stepKey)).find((each) => each.shard === shard);
  if (done !== undefined) return { microBatches: done.microBatches, seconds: done.seconds };

  const run = await readRunAt(db, key.run, key.step);
  const { batch } = await gradientBatch(deps, stepKey, run);
  if (batch === null) return { microBatches: 0, seconds: 0 };
  const { optimizer: _, ...request } = batch.request;
  const engine = await deps.engine(run.config);
  const result = await batch.within(async (budget) =>
    engineCall((options) =>
      engine.gradientShard({ ...request, ...budget, shard, shards }, options),
    ),
  );
  await commitGradientShard(db, stepKey, { ...result, shard, shards });
  return { microBatches: result.microBatches, seconds: result.seconds };
}
