import type { RunConfig } from '../contracts/config.ts';
import { decodingTask, FULL, randomRows, samplingTask, supervisedTask } from './engine-speed.ts';
import { gradientFormsTask } from './gradient-forms.ts';
import type { Task } from './in-turn.ts';
import { withRandomPrompts, type BenchModel } from './models.ts';
import { hfGenerate, pyTorchStep, trlStep } from './peer-plans.ts';
import { warmUpPrompts, wholeStepTask } from './whole-step.ts';
import type { TaskParts } from './task-parts.ts';

/* What a policy of 135M parameters is measured at; bars are those that the project set itself. */

/** rlla's prompts have about 750 tokens. */
const STEP = { prompts: 8, completions: 8, promptTokens: 750, newTokens: 96 } as const;
const STEP_BARS = { fp32: 5, bf16: 3.5 } as const;
const SHARED_PROMPT_BAR = 3;
const SAMPLING = { prompts: 8, completions: 8, promptTokens: 256, newTokens: 64 } as const;
const SAMPLING_BARS = { fp32: 5, bf16: 4 } as const;
const TRAINING = { rows: 4, length: 256 } as const;
const FULL_BARS = { share: 0.8, ratio: 1.2 } as const;
const LORA_BARS = { share: 0.85, ratio: 1.5 } as const;
const LORA = { mode: 'lora', loraRank: 8, loraAlpha: 16, seed: 0 } as const;
const DECODING = { prompts: 1, promptTokens: 64, newTokens: 129 } as const;
const DECODING_BAR = 0.9;
/** Measured beside fp32, against the same peers; the bars are meant for what is exact. */
const INT8 = { rolloutPrecision: 'int8' } as const;
/** What a run of an own policy has by default; also bounds the peer's micro-batches. */
const MICRO_BATCH_TOKENS = 2048;

export async function checkpointSampling(parts: TaskParts, policy: BenchModel): Promise<Task[]> {
  const model = withRandomPrompts(policy, SAMPLING);
  const { completions, newTokens } = SAMPLING;
  const sampling = { temperature: 1, topP: 1, maxNewTokens: newTokens };
  const job = { completions, newTokens };
  return [
    {
      ...samplingTask(parts.config, model, completions, sampling),
      peers: hfGenerate(parts, model, job, SAMPLING_BARS),
    },
    {
      ...samplingTask({ ...parts.config, ...INT8 }, model, completions, sampling),
      peers: hfGenerate(parts, model, job, { fp32: null, bf16: null }),
    },
  ];
}

/** All weights, and LoRA: the plain form, each row a sequence of its own. */
export async function checkpointTraining(parts: TaskParts, model: BenchModel): Promise<Task[]> {
  const rows = randomRows(model, TRAINING.rows, TRAINING.length);
  return [
    {
      ...supervisedTask(parts.config, model, rows, FULL),
      shareBar: FULL_BARS.share,
      peers: pyTorchStep(
        parts,
        model,
        { rows, loraRank: 0, loraAlpha: 1 },
        { fp32: FULL_BARS.ratio, bf16: null },
      ),
    },
    {
      ...supervisedTask(parts.config, model, rows, LORA),
      shareBar: LORA_BARS.share,
      peers: pyTorchStep(
        parts,
        model,
        { rows, loraRank: LORA.loraRank, loraAlpha: LORA.loraAlpha },
        { fp32: LORA_BARS.ratio, bf16: null },
      ),
    },
  ];
}

export async function checkpointDecoding(parts: TaskParts, policy: BenchModel): Promise<Task[]> {
  const model = withRandomPrompts(policy, DECODING);
  const { newTokens } = DECODING;
  const { peers, folderOf, scratch } = parts;
  const against = (config: RunConfig, bar: number | null): Task => {
    const { prompt, ...task } = decodingTask(config, model, newTokens);
    const open = async () => peers.llamaCpp(await folderOf(model), scratch, { prompt, newTokens });
    return { ...task, peers: [{ name: 'llama.cpp BF16', bar, open }] };
  };
  return [against(parts.config, DECODING_BAR), against({ ...parts.config, ...INT8 }, null)];
}

/** A whole step on prompts of rlla's length, and what sharing them is worth to the gradient step. */
export async function checkpointStep(parts: TaskParts, policy: BenchModel): Promise<Task[]> {
  const model = withRandomPrompts(policy, STEP);
  const config: RunConfig = {
    ...parts.config,
    beta: 0,
    numIterations: 1,
    temperature: 1,
    microBatchTokens: MICRO_BATCH_TOKENS,
  };
  const { completions, newTokens } = STEP;
  const places = { folder: await parts.folderOf(model), scratch: parts.scratch };
  const job = { warmUpPrompts: warmUpPrompts(model), completions, newTokens };
  return [
    {
      ...wholeStepTask(config, model, places, STEP),
      peers: trlStep({ ...parts, config }, model, job, STEP_BARS),
    },
    wholeStepTask({ ...config, ...INT8 }, model, places, STEP),
    gradientFormsTask(config, model, STEP, SHARED_PROMPT_BAR),
  ];
}
