import { join } from 'node:path';
import type { GradientRequest, PolicyRef, TrainingMemory } from '../../../contracts/policy.ts';
import { importPolicyFolder } from '../../../policy/checkpoint/import-policy.ts';
import { createPolicyEngine } from '../../../policy/engine/create-policy-engine.ts';
import type { ModelTraits } from '../../../policy/models/model-traits.ts';
import { openFolderStore } from '../../../services/artifacts/folder-store.ts';
import { TINY, writeTinyPolicy } from './tiny-policy.ts';
import { LORA, OBJECTIVE, OPTIMIZER } from './training-options.ts';

/** What the child is to do. */
export interface MemoryTask {
  /** Empty. */
  readonly folder: string;
  readonly traits: ModelTraits;
  readonly promptLength: number;
  readonly completionLength: number;
  /** Strict; null: none. */
  readonly limit: number | null;
  /** Whether it completes a prompt, sampled and greedy, before each of its two steps. */
  readonly rollouts: boolean;
}

export interface MemoryAnswer {
  /** Bytes of the process, at its peak. */
  readonly peak: number;
  /** What the last step made. */
  readonly weights: string;
}

/** Trains in a process of its own, whose memory is nobody else's, and prints what it took. */
if (process.argv[1] === import.meta.filename) {
  const task = JSON.parse(process.argv[2]!) as MemoryTask;
  process.stdout.write(JSON.stringify(await trainTwice(task)));
}

async function trainTwice(task: MemoryTask): Promise<MemoryAnswer> {
  const artifacts = await openFolderStore({
    artifacts: join(task.folder, 'artifacts'),
    temporary: join(task.folder, 'tmp'),
  });
  const contextLength = task.promptLength + task.completionLength;
  const policyFolder = join(task.folder, 'policy');
  await writeTinyPolicy(policyFolder, { ...TINY, traits: task.traits, contextLength });
  let policy = await importPolicyFolder(policyFolder, artifacts);
  const engine = createPolicyEngine({ artifacts, threads: 1 });
  try {
    for (let step = 0; step < 2; step++) {
      for (const temperature of task.rollouts ? [1, 0] : []) {
        const sampling = { temperature, topP: 1, maxNewTokens: task.completionLength };
        await engine.generate({
          policy,
          trainable: LORA,
          prompts: [{ ids: ids(task.promptLength, 0), seeds: [1, 2] }],
          sampling,
          memory: memoryOf(task),
        });
      }
      ({ policy } = await engine.gradientStep(batch(task, policy)));
    }
  } finally {
    await engine.close();
  }
  return { peak: 1024 * process.resourceUsage().maxRSS, weights: policy.weights!.sha256 };
}

function batch(task: MemoryTask, policy: PolicyRef): GradientRequest {
  const completionIds = ids(task.completionLength, 7);
  const sequence = {
    promptIds: ids(task.promptLength, 0),
    completionIds,
    rolloutLogprobs: completionIds.map(() => -4),
    masked: false,
  };
  return {
    policy,
    trainable: LORA,
    sequences: [1, -1].map((advantage) => ({ ...sequence, advantage })),
    objective: OBJECTIVE,
    optimizer: OPTIMIZER,
    microBatchTokens: task.promptLength + task.completionLength,
    memory: memoryOf(task),
  };
}

function memoryOf({ limit }: MemoryTask): TrainingMemory {
  return { limit, strict: true, recompute: false };
}

function ids(length: number, salt: number): number[] {
  return Array.from({ length }, (_, i) => 65 + ((salt * 7 + i * 3) % 50));
}
