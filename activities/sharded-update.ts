import type { StepKey } from '../contracts/activities.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type { GradientResult, PolicyEngine } from '../contracts/policy.ts';
import { referredTo } from '../db/artifact-references.ts';
import { gradientShardsOf, type GradientShard } from '../db/gradient-shards.ts';
import { busySeconds } from './busy-seconds.ts';
import type { ActivityDependencies } from './dependencies.ts';
import type { GradientBatch } from './gradient-batch.ts';
import { engineCall } from './heartbeat.ts';

interface ShardedUpdate {
  readonly result: GradientResult;
  /** To be called once the step is committed. What a crash leaves of them is for `gc`. */
  readonly removeGradients: () => Promise<void>;
}

/**
 * The update from gradients that shards have computed. Null when the step has to be computed here: machines with too little memory
 * divided their part in another way, or gradients are lost.
 */
export async function shardedUpdate(
  { db, artifacts }: Pick<ActivityDependencies, 'db' | 'artifacts'>,
  key: StepKey,
  engine: PolicyEngine,
  { request }: GradientBatch,
): Promise<ShardedUpdate | null> {
  const shards = await gradientShardsOf(db, key);
  if (!belongTogether(shards)) return null;
  const gradients = shards.flatMap(({ gradients: artifact, microBatches }) =>
    artifact === null ? [] : [{ artifact, microBatches }],
  );
  // All sequences are masked.
  if (gradients.length === 0) return null;
  const { policy, trainable, objective, optimizer } = request;
  try {
    const update = await engineCall((options) =>
      engine.applyGradients({ policy, trainable, objective, optimizer, gradients }, options),
    );
    return {
      result: { ...update, seconds: update.seconds + busySeconds(shards) },
      async removeGradients() {
        const names = gradients.map(({ artifact }) => artifact.sha256);
        // Another run with the same seed may be at the same place.
        const needed = await referredTo(db, names);
        for (const name of names) if (!needed.has(name)) await artifacts.delete(name);
      },
    };
  } catch (error) {
    if (error instanceof ToolsampleError && LOST.has(error.code)) return null;
    throw error;
  }
}

/** If it is the policy that is lost, computing the step here says so. */
const LOST: ReadonlySet<string> = new Set(['not-found', 'corrupt-artifact', 'checkpoint']);

function belongTogether(shards: readonly GradientShard[]): boolean {
  const [first] = shards;
  return (
    first !== undefined &&
    shards.length === first.shards &&
    shards.every(({ plan, shards: of }) => plan === first.plan && of === first.shards)
  );
}
