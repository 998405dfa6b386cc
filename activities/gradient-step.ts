import type { GradientSummary, StepKey } from '../contracts/activities.ts';
import type { RunConfig } from '../contracts/config.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type { GradientResult, PolicyRef, TrainingSequence } from '../contracts/policy.ts';
import { policyAfter } from '../db/checkpoints.ts';
import { keptRollouts, shardsOfStep, type RolloutRow } from '../db/rollouts.ts';
import { commitGradientStep } from '../db/gradient-commit.ts';
import { readRun } from '../db/runs.ts';
import { readRunAt } from '../db/setting-changes.ts';
import { findStep, type StepRow } from '../db/steps.ts';
import { advantages } from '../dscl/advantage.ts';
import { warmedUp } from '../policy/training/learning-rate.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { adamW, objectiveOptions, trainableOptions } from './engine-options.ts';
import { engineCall } from './heartbeat.ts';
import { longestSequence, withMicroBatches } from './micro-batches.ts';
import { pruneCheckpoints } from './prune-checkpoints.ts';
import { recordDevice } from './record-device.ts';
import type { RolloutTokens } from './rollout-artifact.ts';
import { shardTokens } from './shard-tokens.ts';
import { trainingMemory } from './training-memory.ts';

/** A kept rollout with what the loss needs of it. */
type Scored = Pick<RolloutRow, 'rank' | 'index' | 'weightedReward' | 'finishReason'>;

/**
 * Updates the policy on the kept groups of a step and commits the step with its checkpoint. Without a kept group the step is
 * committed as skipped, on the policy before it.
 */
export async function gradientStep(
  deps: ActivityDependencies,
  key: StepKey,
): Promise<GradientSummary> {
  const { db } = deps;
  const { config } = await readRunAt(db, key.run, key.step);
  const committed = await findStep(db, key);
  if (committed !== null && (committed.state === 'committed' || committed.state === 'skipped')) {
    await pruneCheckpoints(deps, key);
    return summary(deps, committed, config);
  }

  const policy = startOfStep(await policyAfter(db, key.run, key.step - 1), key.step);
  const kept = await keptRollouts(db, key);
  if (kept.length === 0)
    return summary(deps, await commitGradientStep(db, key, { policy, update: null }), config);

  const values = groupAdvantages(kept, config);
  const tokens = await tokensOfStep(deps, key);
  const learningRate = warmedUp(config.learningRate, key.step - 1, config.warmupSteps);
  const engine = await deps.engine(config);
  const sequences = kept.map((row, i) => sequence(row, values[i] ?? 0, tokens, config));
  const { microBatchTokens } = config;
  const budget = { microBatchTokens, memory: trainingMemory(config.memoryLimit) };
  const result = await withMicroBatches(budget, longestSequence(sequences), async (affordable) =>
    engineCall((options) =>
      engine.gradientStep(
        {
          policy,
          trainable: trainableOptions(config),
          sequences,
          objective: objectiveOptions(config),
          optimizer: adamW(config, learningRate),
          ...affordable,
        },
        options,
      ),
    ),
  );
  requireFinite(result, key.step);
  await recordDevice(db, key.run, 'gradient steps', engine);
  const stored = await commitGradientStep(db, key, {
    policy: result.policy,
    update: {
      loss: result.loss,
      gradNorm: result.gradNorm,
      learningRate,
      entropy: result.entropy,
      kl: result.kl,
      clipRatioLow: result.clipRatioLow,
      clipRatioHigh: result.clipRatioHigh,
      trainedTokens: result.tokens,
      optimizerSteps: config.numIterations,
      seconds: result.seconds,
      advantages: kept.map(({ rank, index }, i) => ({ rank, index, advantage: values[i] ?? 0 })),
    },
  });
  await pruneCheckpoints(deps, key);
  return summary(deps, stored, config);
}

/** The first step begins with a fresh optimiser: moments of the supervised phase are of another loss at another rate. [ours] */
function startOfStep(policy: PolicyRef, step: number): PolicyRef {
  return step === 1 ? { ...policy, optimizer: null } : policy;
}

/** Advantages of rollouts in order of rank and index, one each. */
function groupAdvantages(
  kept: readonly Scored[],
  { scaleRewards, advantageFloor }: RunConfig,
): number[] {
  const groups = new Map<number, number[]>();
  for (const { rank, weightedReward } of kept) {
    if (weightedReward === null) throw new Error(`group ${rank} is kept, but was not scored`);
    const group = groups.get(rank);
    if (group === undefined) groups.set(rank, [weightedReward]);
    else group.push(weightedReward);
  }
  return advantages([...groups.values()], { scaleRewards, floor: advantageFloor }).flat();
}

/** The step's rollouts as token ids, by `rank/index`. */
async function tokensOfStep(
  deps: ActivityDependencies,
  key: StepKey,
): Promise<ReadonlyMap<string, RolloutTokens>> {
  const found = new Map<string, RolloutTokens>();
  for (const { round, shard, artifact } of await shardsOfStep(deps.db, key)) {
    for (const each of await shardTokens(deps, { ...key, round, shard }, artifact)) {
      found.set(`${each.rank}/${each.index}`, each);
    }
  }
  return found;
}

function sequence(
  { rank, index, finishReason }: Scored,
  advantage: number,
  tokens: ReadonlyMap<string, RolloutTokens>,
  config: RunConfig,
): TrainingSequence {
  const own = tokens.get(`${rank}/${index}`);
  if (own === undefined) {
    throw new ToolsampleError(
      'corrupt-artifact',
      `no tokens of completion ${index} of group ${rank}`,
    );
  }
  return {
    promptIds: own.promptIds,
    completionIds: own.completionIds,
    rolloutLogprobs: own.logprobs,
    advantage,
    masked: config.maskTruncatedCompletions && finishReason === 'length',
  };
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
    loss: row.loss ?? 0,
    gradNorm: row.gradNorm ?? 0,
    keptGroups: row.keptGroups ?? 0,
    groups: row.groups,
    generatedTokens: row.generatedTokens ?? 0,
    seconds: row.gradientSeconds ?? 0,
    ...(ends ? { endsRun: true } : {}),
  };
}
