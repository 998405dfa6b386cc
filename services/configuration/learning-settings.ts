import { z } from 'zod';
import {
  BEST_METRICS,
  DEVICES,
  LOSS_TYPES,
  LR_SCHEDULER_TYPES,
  SCALE_REWARDS,
} from '../../contracts/config.ts';
import { memorySize, positiveInt } from './nested-schemas.ts';
import { about } from './setting-groups.ts';

/** What a gradient step makes of the advantages, and the machine that it runs on. */
export const learningSettings = {
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
  lrSchedulerType: z
    .enum(LR_SCHEDULER_TYPES)
    .default('constant')
    .meta(
      about(
        'Optimiser',
        "how it falls to 0 by the run's end, in steps or in max_generated_tokens, whichever is nearer",
      ),
    ),
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
};
