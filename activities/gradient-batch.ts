import type { StepKey } from '../contracts/activities.ts';
import type { RunConfig } from '../contracts/config.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type { GradientRequest, PolicyRef, TrainingSequence } from '../contracts/policy.ts';
import { policyAfter } from '../db/checkpoints.ts';
import { keptRollouts, shardsOfStep, type RolloutRow } from '../db/rollouts.ts';
import type { RunRow } from '../db/runs.ts';
import { generatedTokensUpTo } from '../db/steps.ts';
import { advantages } from '../dscl/advantage.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { objectiveOptions, stepOptimizer, trainableOptions } from './engine-options.ts';
import { longestSequence, withMicroBatches, type TrainingBudget } from './micro-batches.ts';
import { referenceWeights } from './reference-weights.ts';
import type { RolloutTokens } from './rollout-artifact.ts';
import { shardTokens } from './shard-tokens.ts';
import { trainingMemory } from './training-memory.ts';

/** A kept rollout with what the loss needs of it. */
type Scored = Pick<RolloutRow, 'rank' | 'index' | 'weightedReward' | 'finishReason'>;

/** What a step trains on. */
export interface GradientBatch {
  /** All that the engine is asked but for how much it computes at once. */
  readonly request: Omit<GradientRequest, keyof TrainingBudget>;
  /** Of the rollouts trained on, in the order of the request's sequences. */
  readonly advantages: readonly {
    readonly rank: number;
    readonly index: number;
    readonly advantage: number;
  }[];
  /** Calls the engine with as much at once as memory allows, see {@link withMicroBatches}. */
  readonly within: <T>(call: (budget: TrainingBudget) => Promise<T>) => Promise<T>;
}

/** The kept groups of a step as the engine trains on them; only the policy where no group was kept. */
export async function gradientBatch(
  deps: ActivityDependencies,
  key: StepKey,
  { config, corpusSamples, totalSteps }: Pick<RunRow, 'config' | 'corpusSamples' | 'totalSteps'>,
): Promise<{ readonly policy: PolicyRef; readonly batch: GradientBatch | null }> {
  const { db } = deps;
  const policy = startOfStep(await policyAfter(db, key.run, key.step - 1), key.step);
  const kept = await keptRollouts(db, key);
  if (kept.length === 0) return { policy, batch: null };
  const values = groupAdvantages(kept, config);
  const tokens = await tokensOfStep(deps, key);
  const sequences = kept.map((row, i) => sequence(row, values[i] ?? 0, tokens, config));
  const reference = await referenceWeights(db, key.run, config);
  const budget = {
    microBatchTokens: config.microBatchTokens,
    memory: trainingMemory(config.memoryLimit),
  };
  const groups = new Set(kept.map(({ rank }) => rank)).size;
  // Without a budget nothing follows from them.
  const generatedTokens =
    config.maxGeneratedTokens < 0 ? 0 : await generatedTokensUpTo(db, key.run, key.step - 1);
  const batch: GradientBatch = {
    request: {
      policy,
      ...(reference === null ? {} : { reference }),
      trainable: trainableOptions(config),
      sequences,
      objective: objectiveOptions(config),
      optimizer: stepOptimizer(config, {
        step: key.step,
        totalSteps,
        generatedTokens,
        groups,
        corpusSamples,
      }),
    },
    advantages: kept.map(({ rank, index }, i) => ({ rank, index, advantage: values[i] ?? 0 })),
    within: async (call) => withMicroBatches(budget, longestSequence(sequences), call),
  };
  return { policy, batch };
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
