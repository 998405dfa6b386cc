import type { ShardKey } from '../contracts/activities.ts';
import { hashSeed } from '../contracts/hash.ts';
import { policyAfter } from '../db/checkpoints.ts';
import { groupsOfShard } from '../db/groups.ts';
import type { NewRollout } from '../db/rollouts.ts';
import { readRunAt } from '../db/setting-changes.ts';
import { completePrompts } from './complete-prompts.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { trainableOptions } from './engine-options.ts';
import { recordDevice } from './record-device.ts';
import { encodeRollouts, type RolloutTokens } from './rollout-artifact.ts';
import { trainingMemory } from './training-memory.ts';

export interface SampledShard {
  /** Token ids and log-probabilities, as an artifact has them. */
  readonly tokens: Uint8Array;
  readonly rollouts: readonly NewRollout[];
  readonly seconds: number;
}

/**
 * Samples G completions of each prompt of one shard from the policy after the step before.
 *
 * A completion's seed is hash(run seed, step, sample, index): the same for every attempt and every split into shards.
 */
export async function sampleShard(
  deps: ActivityDependencies,
  key: ShardKey,
): Promise<SampledShard> {
  const { db } = deps;
  const { config } = await readRunAt(db, key.run, key.step);
  const policy = await policyAfter(db, key.run, key.step - 1);
  const text = await deps.policyText(policy.base);
  const groups = await groupsOfShard(db, key);
  const prompts = groups.map(({ sample }) => ({
    ids: text.encodePrompt(sample),
    seeds: Array.from({ length: config.numGenerations }, (_, index) =>
      hashSeed(config.seed, 'rollout', key.step, sample.id, index),
    ),
  }));

  const started = performance.now();
  const engine = await deps.engine(config);
  const { temperature, topP } = config;
  const generated = await completePrompts(engine, prompts, {
    policy,
    text,
    trainable: trainableOptions(config),
    maxCompletionLength: config.maxCompletionLength,
    sampling: { temperature, topP },
    precision: config.rolloutPrecision,
    memory: trainingMemory(config.memoryLimit),
  });
  const seconds = (performance.now() - started) / 1000;
  await recordDevice(db, key.run, 'rollouts', engine);

  const inOrder = [...generated].sort((a, b) => a.prompt - b.prompt || a.index - b.index);
  const tokens = inOrder.map((each): RolloutTokens => ({
    rank: at(groups, each.prompt).rank,
    index: each.index,
    promptIds: at(prompts, each.prompt).ids,
    completionIds: each.ids,
    logprobs: each.logprobs,
  }));
  const rollouts = inOrder.map((each) => ({
    rank: at(groups, each.prompt).rank,
    index: each.index,
    sampleId: at(groups, each.prompt).sample.id,
    completion: text.decode(each.ids),
    promptTokens: at(prompts, each.prompt).ids.length,
    completionTokens: each.ids.length,
    finishReason: each.finishReason,
  }));
  return { tokens: encodeRollouts(tokens), rollouts, seconds };
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined)
    throw new Error(`the engine answered for prompt ${index}, which was not asked`);
  return item;
}
