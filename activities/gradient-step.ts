import type { GradientSummary, StepKey } from '../contracts/activities.ts';
import type { RunConfig } from '../contracts/config.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type { GradientResult } from '../contracts/policy.ts';
import { commitGradientStep, type GradientCommit } from '../db/gradient-commit.ts';
import { readRun } from '../db/runs.ts';
import { readRunAt } from '../db/setting-changes.ts';
import { findStep, type StepRow } from '../db/steps.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { gradientBatch } from './gradient-batch.ts';
import { engineCall } from './heartbeat.ts';
import { pruneCheckpoints } from './prune-checkpoints.ts';
import { recordDevice } from './record-device.ts';
import { shardedUpdate } from './sharded-update.ts';

/**
 * Updates the policy on the kept groups of a step and commits the step with its checkpoint. Gradients that shards have computed are
 * added up; else they are computed here. Without a kept group the step is committed as skipped, on the policy before it.
 */
export async function gradientStep(
  deps: ActivityDependencies,
  key: StepKey,
): Promise<GradientSummary> {
  const { db } = deps;
  const run = await readRunAt(db, key.run, key.step);
  const { config } = run;
  const committed = await findStep(db, key);
  if (committed !== null && (committed.state === 'committed' || committed.state === 'skipped')) {
    await pruneCheckpoints(deps, key);
    return summary(deps, committed, config);
  }

  const { policy, batch } = await gradientBatch(deps, key, run);
  if (batch === null)
    return summary(deps, await commitGradientStep(db, key, { policy, update: null }, null), config);

  const engine = await deps.engine(config);
  const sharded = config.gradientShards > 1 ? await shardedUpdate(deps, key, engine, batch) : null;
  const result =
    sharded?.result ??
    (await batch.within(async (budget) =>
      engineCall((options) => engine.gradientStep({ ...batch.request, ...budget }, options)),
    ));
  requireFinite(result, key.step);
  await recordDevice(db, key.run, 'gradient steps', engine);
  const commit: GradientCommit = {
    policy: result.policy,
    update: {
      loss: result.loss,
      gradNorm: result.gradNorm,
      learningRate: batch.request.optimizer.learningRate,
      entropy: result.entropy,
      kl: result.kl,
      clipRatioLow: result.clipRatioLow,
      clipRatioHigh: result.clipRatioHigh,
      samplingLogpDifference: result.samplingLogpDifference,
      trainedTokens: result.tokens,
      optimizerSteps: config.numIterations,
      seconds: result.seconds,
      advantages: batch.advantages,
    },
  };
  const stored = await commitGradientStep(db, key, commit, deps.artifacts);
  await sharded?.removeGradients();
  await pruneCheckpoints(deps, key);
  return summary(deps, stored, config);
}

function requireFinite({ loss, gradNorm }: GradientResult, step: number): void {
  if (Number.isFinite(loss) && Number.isFinite(gradNorm ?? 0)) return;
  throw new ToolsampleError(
    'non-finite',
    `step ${step}: the loss is ${loss}, the gradient norm ${gradNorm}`,
    { hint: 'start a new run with a smaller learningRate; the last checkpoint is untouched' },
  );
}

async function summary(
  { db }: Pick<ActivityDependencies, 'db'>,
  row: StepRow,
  { maxGeneratedTokens }: RunConfig,
): Promise<GradientSummary> {
  const ends = maxGeneratedTokens >= 0 && (await readRun(db, row.run)).totalSteps === row.step;
  return {
    skipped: row.state === 'skipped',
    reward: row.reward ?? 0,
    rewardStd: row.rewardStd ?? 0,
    loss: row.loss ?? 0,
    gradNorm: row.gradNorm ?? 0,
    keptGroups: row.keptGroups ?? 0,
    groups: row.groups,
    generatedTokens: row.generatedTokens ?? 0,
    seconds: row.gradientSeconds ?? 0,
    ...(ends ? { endsRun: true } : {}),
  };
}
