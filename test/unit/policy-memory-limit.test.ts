import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { generationMemory } from '../../policy/generation/generation-memory.ts';
import { BUDGET, promptGroups } from '../../policy/generation/prompt-groups.ts';
import type { ModelTraits } from '../../policy/models/model-traits.ts';
import { residentMemory, trainingMemory } from '../../policy/training/memory-estimate.ts';
import type { MemoryAnswer, MemoryTask } from './support/memory-child.ts';
import { TINY } from './support/tiny-policy.ts';
import { LORA } from './support/training-options.ts';

const CHILD = fileURLToPath(new URL('./support/memory-child.ts', import.meta.url));
/** Attention over a prompt takes far more than all else, in training and in prefilling. */
const TRAITS: ModelTraits = { ...TINY.traits, heads: 16, kvHeads: 8, headDim: 4 };
const PROMPT = 1500;
const COMPLETION = 4;

/** Each in a process of its own: a peak is never forgotten. */
async function train(task: Pick<MemoryTask, 'limit' | 'rollouts'>): Promise<MemoryAnswer> {
  const folder = await mkdtemp(join(tmpdir(), 'toolsample-memory-'));
  const shape = { traits: TRAITS, promptLength: PROMPT, completionLength: COMPLETION };
  const whole: MemoryTask = { ...shape, ...task, folder };
  try {
    const flags = ['--import', 'tsx', CHILD, JSON.stringify(whole)];
    const { stdout } = await promisify(execFile)(process.execPath, flags);
    return JSON.parse(stdout) as MemoryAnswer;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

it('rollouts and evaluations leave a step the memory that its limit promises', async () => {
  const model = { traits: TRAITS, lora: { rank: LORA.loraRank, alpha: LORA.loraAlpha } };
  const size = { rows: 1, length: PROMPT + COMPLETION, predicted: COMPLETION, shared: false };
  const form = { recomputedLayers: TRAITS.layers, attentionParts: 8 };
  const least = Math.ceil(trainingMemory(model, size, form));
  const alone = await train({ limit: least, rollouts: false });
  expect(alone.peak).toBeLessThan(least);
  // A rollout takes what its prompt takes, whatever the limit of training.
  const prompts = [{ ids: Array.from({ length: PROMPT }, () => 1), seeds: [1, 2] }];
  const contextLength = PROMPT + COMPLETION;
  const groups = promptGroups({ traits: TRAITS, contextLength }, prompts, COMPLETION, BUDGET);
  const rollout = generationMemory(TRAITS, groups, 'fed', BUDGET);
  const limit = Math.max(least, residentMemory(model, 1) + rollout);
  const limited = await train({ limit, rollouts: true });
  expect(limited.peak).toBeLessThan(limit);
  expect(limited.weights).toBe(alone.weights);
  // Else there would be nothing to see.
  const unlimited = await train({ limit: null, rollouts: true });
  expect(unlimited.peak).toBeGreaterThan(limit);
}, 120_000);
