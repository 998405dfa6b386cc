import { z } from 'zod';
import { PRECISIONS } from '../../contracts/config.ts';
import { VALUE_MATCHES } from '../../contracts/reward.ts';
import { CURRICULA, SAMPLERS } from '../../contracts/sampling.ts';
import { positiveInt, samplingSchema } from './nested-schemas.ts';
import { about } from './setting-groups.ts';
import { MOST_STEPS } from './token-budget.ts';

/** How long a run is, and what each of its steps does up to the advantages. */
export const stepSettings = {
  numTrainEpochs: positiveInt(1_000_000)
    .default(3)
    .meta(about('Schedule', 'passes over the corpus (in number of groups)')),
  maxSteps: z
    .int()
    .min(-1)
    .max(MOST_STEPS)
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
  rolloutPrecision: z
    .enum(PRECISIONS)
    .default('float32')
    .meta(
      about(
        'Rollout',
        'of the products of rollouts: int8 is faster and less exact (docs/algorithm.md), and for the CPU',
      ),
    ),
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
    .meta(
      about(
        'DSCL',
        'groups rolled out at first, as a multiple of train-batch-size; 1 without filter-groups',
      ),
    ),
  maxBackfillRounds: z
    .int()
    .min(0)
    .max(100)
    .default(0)
    .meta(
      about(
        'DSCL',
        'further rounds of rollout until train-batch-size groups are kept; 0 without filter-groups',
      ),
    ),
};
