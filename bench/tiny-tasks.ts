import { FULL, randomRows, samplingTask, supervisedTask } from './engine-speed.ts';
import type { Task } from './in-turn.ts';
import { withRandomPrompts, type BenchModel } from './models.ts';
import { hfGenerate, pyTorchStep } from './peer-plans.ts';
import type { TaskParts } from './task-parts.ts';

/* The default run's policy at batches at which its peers are known; bars are those that the project set itself. */

const SAMPLING = { prompts: 8, completions: 8, promptTokens: 256, newTokens: 64 } as const;
const TRAINING = { rows: 32, length: 256 } as const;
const SAMPLING_BAR = 5;
const TRAINING_BAR = 1.2;

/** 64 rows: every prompt alike, as the peer computes each of them. */
export function tinySampling(parts: TaskParts, policy: BenchModel): Task {
  const model = withRandomPrompts(policy, SAMPLING);
  const { completions, newTokens } = SAMPLING;
  const sampling = { temperature: 1, topP: 1, maxNewTokens: newTokens };
  const job = { completions, newTokens };
  return {
    ...samplingTask(parts.config, model, completions, sampling),
    peers: hfGenerate(parts, model, job, { fp32: SAMPLING_BAR }),
  };
}

export function tinyTraining(parts: TaskParts, model: BenchModel): Task {
  const rows = randomRows(model, TRAINING.rows, TRAINING.length);
  const job = { rows, loraRank: 0, loraAlpha: 1 };
  return {
    ...supervisedTask(parts.config, model, rows, FULL),
    peers: pyTorchStep(parts, model, job, { fp32: TRAINING_BAR }),
  };
}
