import { join } from 'node:path';
import type { ArtifactStore } from '../contracts/artifacts.ts';
import type { RunConfig } from '../contracts/config.ts';
import { hashSeed } from '../contracts/hash.ts';
import type {
  GeneratedCompletion,
  GenerationPrompt,
  PolicyEngine,
  PolicyRef,
  PolicyText,
  TrainingSequence,
} from '../contracts/policy.ts';
import type { RewardBreakdown } from '../contracts/reward.ts';
import type { Sample } from '../contracts/sample.ts';
import {
  stepOptimizer,
  trainableOptions,
  type OptimizedStep,
} from '../activities/engine-options.ts';
import { runSchedule } from '../activities/run-schedule.ts';
import { startingPolicy } from '../activities/starting-policy.ts';
import { longestPrompt, usableSamples } from '../activities/usable-samples.ts';
import { builtinEvaluation } from '../datasets/builtin/corpus.ts';
import { EVALUATION_SPLITS } from '../datasets/builtin/splits.ts';
import { openDataset } from '../datasets/dataset.ts';
import { storableText } from '../db/columns.ts';
import type { IngestedSample } from '../db/corpus-ingestion.ts';
import { advantages } from '../dscl/advantage.ts';
import { backfillGroups, hasSignal } from '../dscl/filter.ts';
import { scoreCompletion, weightedReward } from '../dscl/reward.ts';
import { loadPolicyText } from '../policy/text/policy-text.ts';
import {
  drawSamples,
  learn,
  nothingLearned,
  type Drawn,
  type Learned,
  type ScoredGroup,
} from './plain-learning.ts';

/** What the loop works with; the same parts that activities get, without the database. */
export interface PlainDependencies {
  readonly engine: PolicyEngine;
  readonly artifacts: ArtifactStore;
  /** Receives the exported policy. */
  readonly folder: string;
}

interface PlainRun extends PlainDependencies {
  readonly config: RunConfig;
  readonly text: PolicyText;
  readonly corpus: readonly IngestedSample[];
}

/** A group as the gradient step needs it. */
interface RolledOut extends ScoredGroup {
  readonly promptIds: readonly number[];
  readonly completions: readonly GeneratedCompletion[];
  readonly weighted: readonly number[];
}

/**
 * A run of the built-in data without Temporal and Postgres: the same engine, artifacts and DSCL functions, the same seeds and
 * calls in the same order, everything between steps in memory. It ends in the same weights, byte for byte.
 * @returns SHA-256 of the exported `model.safetensors`
 */
export async function runPlainly(
  config: RunConfig,
  deps: PlainDependencies,
): Promise<{ readonly policySha256: string }> {
  let policy = await startingPolicy(config, deps.artifacts);
  const text = await loadPolicyText(policy.base, deps.artifacts);
  const corpus: IngestedSample[] = [];
  const limits = {
    promptLimit: longestPrompt(config, text.contextLength),
    maxBadRows: config.maxBadRows,
  };
  const usable = usableSamples(openDataset(config.data, config), text, limits);
  for await (const each of usable.samples) corpus.push(each);
  const run = { ...deps, config, text, corpus };
  const { stepsPerEpoch, totalSteps } = runSchedule(config, corpus.length);

  await evaluate(run, policy);
  const learned = nothingLearned();
  const { maxGeneratedTokens } = config;
  const budget = maxGeneratedTokens < 0 ? Infinity : maxGeneratedTokens;
  let drawnInEpoch = 0;
  let generatedTokens = 0;
  for (let step = 1; step <= totalSteps && generatedTokens < budget; step++) {
    const epoch = Math.ceil(step / stepsPerEpoch);
    if ((step - 1) % stepsPerEpoch === 0) drawnInEpoch = 0;
    const drawn = drawSamples(config, corpus, learned, { step, epoch, drawnInEpoch });
    const groups = await rollOut(run, policy, learned, drawn, step);
    drawnInEpoch += groups.length;
    learn(config, learned, groups, step);
    const at = { step, totalSteps, generatedTokens };
    policy = await update(run, policy, groups.filter(keptBy(config)), at);
    generatedTokens += groups
      .flatMap(({ completions }) => completions)
      .reduce((sum, { ids }) => sum + ids.length, 0);
  }
  await evaluate(run, policy);
  const folder = join(deps.folder, `seed-${config.seed}`);
  const { sha256 } = await deps.engine.export(policy, trainableOptions(config), folder);
  return { policySha256: sha256 };
}

/** Whether the update trains on a group. */
function keptBy(config: RunConfig): (group: RolledOut) => boolean {
  return ({ weighted }) => !config.filterGroups || hasSignal(weighted);
}

/** Rounds of rollouts from the drawn samples until enough groups are kept. */
async function rollOut(
  run: PlainRun,
  policy: PolicyRef,
  learned: Learned,
  { first, reserve }: Drawn,
  step: number,
): Promise<RolledOut[]> {
  const { config } = run;
  const { trainBatchSize, oversample, rolloutShardSize } = config;
  const drawn = [...first, ...reserve];
  const groups: RolledOut[] = [];
  let wanted = first.length;
  for (let round = 0; wanted > 0; round++) {
    const members = drawn.slice(groups.length, groups.length + wanted);
    for (let from = 0; from < members.length; from += rolloutShardSize) {
      const shard = members.slice(from, from + rolloutShardSize);
      groups.push(...(await rollOutShard(run, policy, learned, shard, step)));
    }
    wanted = backfillGroups({
      kept: groups.filter(keptBy(config)).length,
      wanted: trainBatchSize,
      round,
      maxBackfillRounds: config.filterGroups ? config.maxBackfillRounds : 0,
      oversample,
      remaining: drawn.length - groups.length,
    });
  }
  return groups;
}

async function rollOutShard(
  run: PlainRun,
  policy: PolicyRef,
  { curriculum }: Learned,
  shard: readonly IngestedSample[],
  step: number,
): Promise<RolledOut[]> {
  const { config, text } = run;
  const prompts = shard.map(({ sample }) => ({
    ids: text.encodePrompt(sample),
    seeds: Array.from({ length: config.numGenerations }, (_, index) =>
      hashSeed(config.seed, 'rollout', step, sample.id, index),
    ),
  }));
  const generated = await complete(run, policy, prompts, config);
  return shard.map((sample, prompt) => {
    const completions = generated.filter((each) => each.prompt === prompt);
    const breakdowns = completions.map(({ ids }) => score(run, sample.sample, ids));
    const weighted = breakdowns.map((each) => weightedReward(each, curriculum.weights));
    return { sample, promptIds: prompts[prompt]?.ids ?? [], completions, breakdowns, weighted };
  });
}

async function complete(
  { engine, text, config }: PlainRun,
  policy: PolicyRef,
  prompts: readonly GenerationPrompt[],
  {
    temperature,
    topP,
    rolloutPrecision: precision,
  }: Pick<RunConfig, 'temperature' | 'topP' | 'rolloutPrecision'>,
): Promise<readonly GeneratedCompletion[]> {
  const longest = Math.max(...prompts.map(({ ids }) => ids.length));
  const maxNewTokens = Math.min(config.maxCompletionLength, text.contextLength - longest);
  const sampling = { temperature, topP, maxNewTokens };
  return engine.generate({
    policy,
    trainable: trainableOptions(config),
    prompts,
    sampling,
    precision,
  });
}

/** Of the text as Postgres would have stored it. */
function score(
  { text, config }: PlainRun,
  sample: Sample,
  ids: readonly number[],
): RewardBreakdown {
  return scoreCompletion({
    completion: storableText(text.decode(ids)),
    groundTruth: sample,
    valueMatch: config.valueMatch,
  });
}

async function update(
  { engine, config, corpus }: PlainRun,
  policy: PolicyRef,
  kept: readonly RolledOut[],
  at: Pick<OptimizedStep, 'step' | 'totalSteps' | 'generatedTokens'>,
): Promise<PolicyRef> {
  if (kept.length === 0) return policy;
  const { scaleRewards, advantageFloor: floor } = config;
  const values = advantages(
    kept.map(({ weighted }) => weighted),
    { scaleRewards, floor },
  );
  const sequences = kept.flatMap(({ promptIds, completions }, group) =>
    completions.map((each, i): TrainingSequence => ({
      promptIds,
      completionIds: each.ids,
      rolloutLogprobs: each.logprobs,
      advantage: values[group]?.[i] ?? 0,
      masked: config.maskTruncatedCompletions && each.finishReason === 'length',
    })),
  );
  const result = await engine.gradientStep({
    policy,
    trainable: trainableOptions(config),
    sequences,
    objective: config,
    optimizer: stepOptimizer(config, {
      ...at,
      groups: kept.length,
      corpusSamples: corpus.length,
    }),
    microBatchTokens: config.microBatchTokens,
  });
  return result.policy;
}

/** Greedy completions of every held-out split, scored. */
async function evaluate(run: PlainRun, policy: PolicyRef): Promise<void> {
  const { seed, evalSize: size } = run.config;
  for (const split of EVALUATION_SPLITS) {
    const samples = builtinEvaluation({ seed, size, split });
    const prompts = samples.map((sample) => ({
      ids: run.text.encodePrompt(sample),
      seeds: [0],
    }));
    const greedy = { temperature: 0, topP: 1, rolloutPrecision: 'float32' } as const;
    for (const { prompt, ids } of await complete(run, policy, prompts, greedy)) {
      const sample = samples[prompt];
      if (sample !== undefined) score(run, sample, ids);
    }
  }
}
