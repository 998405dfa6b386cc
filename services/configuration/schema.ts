import { z } from 'zod';
import {
  BACKENDS,
  BEST_METRICS,
  DEVICES,
  LOSS_TYPES,
  SCALE_REWARDS,
  TINKER_REDUCTIONS,
  TRAIN_MODES,
} from '../../contracts/config.ts';
import { VALUE_MATCHES } from '../../contracts/reward.ts';
import { CURRICULA, SAMPLERS } from '../../contracts/sampling.ts';
import {
  memorySize,
  place,
  positiveInt,
  randomPolicySchema,
  samplingSchema,
  serviceUrl,
  warmStartPhaseSchema,
} from './nested-schemas.ts';

/** Headings under which `--help` and the documentation list the keys. */
export const GROUPS = [
  'Policy',
  'Training service',
  'Data',
  'Cold start',
  'Schedule',
  'Rollout',
  'DSCL',
  'Objective',
  'Optimiser',
  'Machine',
] as const;
export type Group = (typeof GROUPS)[number];

const about = (group: Group, description: string): { group: Group; description: string } => ({
  group,
  description,
});

/**
 * Every key of a run: its range, what it means, and the default of the built-in run. Defaults that depend on other keys
 * (whose policy, which sampler) are laid over these by `defaults.ts`. Keys are canonical here; spellings and aliases are
 * the business of `names.ts`.
 */
export const runConfigSchema = z.strictObject({
  seed: z.int().min(0).default(0).meta(about('Schedule', 'seed of everything random in the run')),

  policy: place()
    .default('builtin')
    .meta(about('Policy', '`builtin`, a Hugging Face folder, or `random` (see random-policy-…)')),
  randomPolicy: randomPolicySchema
    .prefault({})
    .meta(about('Policy', 'shape of a policy that starts from random weights')),
  trainMode: z
    .enum(TRAIN_MODES)
    .default('full')
    .meta(about('Policy', 'train all weights or LoRA adapters')),
  loraRank: positiveInt(1024).default(16).meta(about('Policy', 'rank of LoRA adapters')),
  loraAlpha: z
    .number()
    .gt(0)
    .max(65536)
    .default(32)
    .meta(about('Policy', 'LoRA scale: adapters are multiplied by alpha / rank')),

  backend: z
    .enum(BACKENDS)
    .default('onnx')
    .meta(
      about(
        'Training service',
        'what trains: this machine, or a service with the Tinker API (docs/tinker.md)',
      ),
    ),
  tinkerBaseUrl: serviceUrl()
    .default('http://127.0.0.1:8000')
    .meta(about('Training service', 'where the service answers; its key is TINKER_API_KEY')),
  baseModel: place()
    .default('auto')
    .meta(
      about('Training service', "the service's name for the model; `auto`: the only one it has"),
    ),
  tinkerReduction: z
    .enum(TINKER_REDUCTIONS)
    .default('sequence-mean')
    .meta(
      about(
        'Training service',
        'how the service adds up token losses; advantages are scaled for loss-type to hold',
      ),
    ),

  data: place()
    .default('builtin')
    .meta(about('Data', '`builtin` or a file of samples (formats: docs/data.md)')),
  evalData: place()
    .default('auto')
    .meta(
      about(
        'Data',
        'held-out samples: a file, or `auto` (built-in splits; of your data, a seeded part)',
      ),
    ),
  evalSuite: place()
    .default('none')
    .meta(
      about(
        'Data',
        "evaluated whenever held-out samples are: a file, a folder of BFCL's files (eval_size of each), or `none`",
      ),
    ),
  corpusSize: positiveInt(10_000_000)
    .default(256)
    .meta(about('Data', 'samples of the built-in corpus')),
  levelMix: z
    .array(z.number().min(0).max(1_000_000))
    .min(4)
    .max(5)
    .default([0.3, 0.3, 0.25, 0.15])
    .meta(about('Data', "shares of the built-in corpus's levels 0, 1, 2, 3 (and 4)")),
  wrongLabels: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .meta(about('Data', "share of the built-in corpus's ground truths that are made wrong")),
  evalSize: positiveInt(1_000_000)
    .default(300)
    .meta(about('Data', 'held-out samples of each split')),
  maxBadRows: z
    .int()
    .min(0)
    .max(1_000_000_000)
    .default(0)
    .meta(about('Data', 'unusable rows of a file that are left out; one more, and it is refused')),
  maxPromptLength: z
    .int()
    .min(8)
    .max(1_000_000)
    .default(96)
    .meta(about('Data', 'samples with a longer prompt (tokens) are left out and counted')),
  maxCompletionLength: z
    .int()
    .min(8)
    .max(1_000_000)
    .default(64)
    .meta(about('Data', 'completions are cut off after so many tokens')),

  warmStart: z
    .array(warmStartPhaseSchema)
    .max(100)
    .default([])
    .meta(about('Cold start', 'supervised phases before reinforcement learning')),

  numTrainEpochs: positiveInt(1_000_000)
    .default(3)
    .meta(about('Schedule', 'passes over the corpus (in number of groups)')),
  maxSteps: z
    .int()
    .min(-1)
    .max(100_000_000)
    .default(-1)
    .meta(about('Schedule', 'stop after so many steps; -1: no limit; 0: the warm start alone')),
  maxGeneratedTokens: z
    .int()
    .min(-1)
    .max(1_000_000_000_000)
    .default(-1)
    .meta(
      about(
        'Schedule',
        'end with the step that brings the completion tokens generated in training to this; -1: no limit',
      ),
    ),
  trainBatchSize: positiveInt(65_536)
    .default(16)
    .meta(about('Schedule', 'prompts (groups) of one step')),
  numGenerations: z
    .int()
    .min(2)
    .max(1024)
    .default(8)
    .meta(about('Schedule', 'completions of one prompt, G (a group needs 2 for a baseline)')),
  evalSchedule: z
    .union([z.int().min(1).max(100_000_000), z.enum(['epoch', 'halving', 'none'])])
    .default('halving')
    .meta(
      about(
        'Schedule',
        'evaluations between start and end: every n steps, at each `epoch`, at each `halving` of the run, or `none`',
      ),
    ),
  evalTokens: z
    .int()
    .min(0)
    .max(1_000_000_000_000)
    .default(0)
    .meta(
      about(
        'Schedule',
        'further evaluations, whenever so many more tokens were generated: runs of any batch size are measured alike; 0: none',
      ),
    ),

  temperature: z
    .number()
    .gt(0)
    .max(10)
    .default(1)
    .meta(about('Rollout', 'sampling temperature of rollouts')),
  topP: z.number().gt(0).max(1).default(1).meta(about('Rollout', 'nucleus of rollouts')),
  rolloutShardSize: positiveInt(65_536)
    .default(8)
    .meta(
      about('Rollout', 'groups of one rollout activity at most: the most that a crash can lose'),
    ),

  sampler: z
    .enum(SAMPLERS)
    .default('dscl')
    .meta(about('DSCL', 'how the prompts of a step are chosen')),
  sampling: samplingSchema.prefault({}).meta(about('DSCL', 'numbers of the sampling rule')),
  curriculum: z
    .enum(CURRICULA)
    .default('tdcl')
    .meta(about('DSCL', 'whether sub-task weights follow mastery')),
  masteryRate: z
    .number()
    .gt(0)
    .max(1)
    .default(0.05)
    .meta(about('DSCL', "rate of mastery's moving average")),
  valueMatch: z
    .enum(VALUE_MATCHES)
    .default('toolrl')
    .meta(about('DSCL', "how values compare: ToolRL's Python equality or BFCL's lenient rules")),
  filterGroups: z
    .boolean()
    .default(true)
    .meta(about('DSCL', 'drop groups whose rewards are all equal')),
  oversample: z
    .number()
    .min(1)
    .max(16)
    .default(1.25)
    .meta(about('DSCL', 'groups rolled out at first, as a multiple of train-batch-size')),
  maxBackfillRounds: z
    .int()
    .min(0)
    .max(100)
    .default(0)
    .meta(about('DSCL', 'further rounds of rollout until train-batch-size groups are kept')),

  scaleRewards: z
    .enum(SCALE_REWARDS)
    .default('group')
    .meta(about('Objective', 'standard deviation that an advantage is divided by')),
  advantageFloor: z
    .number()
    .min(0)
    .max(100)
    .default(0.1)
    .meta(about('Objective', 'added to that standard deviation')),
  lossType: z
    .enum(LOSS_TYPES)
    .default('dapo')
    .meta(about('Objective', 'how token losses are averaged')),
  epsilon: z.number().gt(0).lt(1).default(0.2).meta(about('Objective', 'lower clip range')),
  epsilonHigh: z.number().gt(0).max(100).default(0.28).meta(about('Objective', 'upper clip range')),
  beta: z
    .number()
    .min(0)
    .max(100)
    .default(0)
    .meta(about('Objective', 'weight of the KL term to the policy at the start')),
  numIterations: positiveInt(100)
    .default(1)
    .meta(about('Objective', 'optimiser steps on each batch')),
  maskTruncatedCompletions: z
    .boolean()
    .default(true)
    .meta(about('Objective', 'leave cut-off completions out of the loss')),
  importanceSamplingCap: z
    .number()
    .min(0)
    .max(1000)
    .default(2)
    .meta(about('Objective', 'cap of the importance weight between rollout and trainer; 0: off')),

  learningRate: z
    .number()
    .min(0)
    .max(1)
    .default(4e-4)
    .meta(about('Optimiser', 'learning rate of AdamW, of a batch with train_batch_size groups')),
  warmupSteps: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(3)
    .meta(about('Optimiser', 'steps of linear warm-up')),
  adamBeta1: z
    .number()
    .min(0)
    .lt(1)
    .default(0.9)
    .meta(about('Optimiser', 'decay of the first moment')),
  adamBeta2: z
    .number()
    .min(0)
    .lt(1)
    .default(0.95)
    .meta(about('Optimiser', 'decay of the second moment')),
  adamEpsilon: z
    .number()
    .gt(0)
    .max(1)
    .default(1e-8)
    .meta(about('Optimiser', 'added to the square root of the second moment')),
  weightDecay: z
    .number()
    .min(0)
    .max(10)
    .default(0)
    .meta(about('Optimiser', 'decoupled weight decay')),
  maxGradNorm: z
    .number()
    .gt(0)
    .max(1_000_000)
    .default(1)
    .meta(about('Optimiser', 'global L2 norm to which gradients are clipped')),
  microBatchTokens: positiveInt(10_000_000)
    .default(4096)
    .meta(
      about(
        'Optimiser',
        'tokens of one micro-batch at most, padding included; changes memory, not results',
      ),
    ),
  gradientShards: positiveInt(256)
    .default(1)
    .meta(
      about(
        'Optimiser',
        'parts of a gradient step, for as many workers; train_mode lora only (docs/cluster.md)',
      ),
    ),

  device: z
    .enum(DEVICES)
    .default('cpu')
    .meta(
      about(
        'Machine',
        'where tensors are computed; auto: cuda where it opens, else cpu; webgpu has to be asked for',
      ),
    ),
  threads: z
    .int()
    .min(0)
    .max(1024)
    .default(0)
    .meta(about('Machine', 'threads of ONNX Runtime; 0: all cores')),
  memoryLimit: z
    .union([z.enum(['auto', 'none']), memorySize()])
    .default('auto')
    .meta(
      about(
        'Machine',
        "memory that training may take, as estimated; changes time, not results; auto: 80% of the machine's",
      ),
    ),
  saveTotalLimit: positiveInt(1_000_000)
    .default(2)
    .meta(
      about('Machine', 'the newest checkpoints kept, besides the best and those at epoch ends'),
    ),
  saveBest: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(1)
    .meta(about('Machine', 'the best checkpoints kept, by best_metric')),
  bestMetric: z
    .enum(BEST_METRICS)
    .default('reward')
    .meta(
      about(
        'Machine',
        'what makes a checkpoint the best: `reward` or `exact_match` on the first held-out split, or exact matches on the `suite`',
      ),
    ),
  saveEpochs: z
    .int()
    .min(-1)
    .max(1_000_000)
    .default(-1)
    .meta(about('Machine', 'checkpoints kept of those at epoch ends, the newest; -1: all')),
});
