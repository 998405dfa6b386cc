import * as fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { z } from 'zod';
import type { RunConfig, RunConfigInput } from '../../contracts/config.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import { SAMPLERS } from '../../contracts/sampling.ts';
import { mergeInputs } from '../../services/configuration/canonical.ts';
import { changedConfig } from '../../services/configuration/change.ts';
import { flagsFromSchema, valueAt, valueText } from '../../services/configuration/flags.ts';
import { CONFIG_KEYS } from '../../services/configuration/keys.ts';
import { defaultConfig, resolveConfig } from '../../services/configuration/resolve.ts';
import type { runConfigSchema } from '../../services/configuration/schema.ts';

function refusal(input: RunConfigInput): ToolsampleError {
  try {
    resolveConfig(input);
  } catch (error) {
    if (error instanceof ToolsampleError) return error;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(input)}`);
}

describe('configuration schema', () => {
  it('has the keys of the contract, with the same types', () => {
    expectTypeOf<keyof z.output<typeof runConfigSchema>>().toEqualTypeOf<keyof RunConfig>();
    expectTypeOf<z.output<typeof runConfigSchema>>().toExtend<RunConfig>();
  });

  it('describes every key and says what it accepts', () => {
    const keys = CONFIG_KEYS;
    expect(keys.length).toBeGreaterThan(60);
    for (const key of keys) {
      expect(key.description, key.path).toMatch(/\w{3}/);
      expect(key.range, key.path).toMatch(/^(an? |one of |true or false)/);
    }
  });

  it('holds the recipe of the default run', () => {
    expect(defaultConfig()).toMatchObject({
      policy: 'builtin',
      data: 'builtin',
      trainBatchSize: 16,
      numGenerations: 8,
      learningRate: 4e-4,
      adamBeta1: 0.9,
      adamBeta2: 0.95,
      weightDecay: 0,
      maxGradNorm: 1,
      warmupSteps: 3,
      advantageFloor: 0.1,
      lossType: 'dapo',
      sampler: 'dscl',
      curriculum: 'tdcl',
      filterGroups: true,
      corpusSize: 256,
      levelMix: [0.3, 0.3, 0.25, 0.15],
      evalSize: 300,
      temperature: 1,
      topP: 1,
      epsilon: 0.2,
      epsilonHigh: 0.28,
      beta: 0,
      importanceSamplingCap: 2,
      warmStart: [],
    });
  });
});

describe('resolveConfig', () => {
  it('keeps a group of one out', () => {
    const error = refusal({ num_generations: 1 });
    expect(error.code).toBe('config');
    expect(error.exitCode).toBe(2);
    expect(error.location.field).toBe('num_generations');
    expect(error.message).toContain('must be an integer from 2 to 1,024, not 1');
  });

  it.each<[RunConfigInput, string]>([
    [{ learningRate: 'fast' }, 'must be a number from 0 to 1, not "fast"'],
    [{ learningRate: Number.NaN }, 'must be a number from 0 to 1'],
    [{ sampler: 'grpo' }, 'must be one of uniform, dscl, dapo, vcrl, difficulty, not "grpo"'],
    [{ levelMix: [1, 2] }, 'must be a list of 4 to 5 items'],
    [{ levelMix: [0, 0, 0, 0] }, 'all shares are 0'],
    [{ sampling: 3 }, 'must be an object of settings, not 3'],
    [{ sampling: { ablate: ['means'] } }, 'not "means"'],
    [{ warmStart: 5 }, 'must be an object of settings, not 5'],
    [{ warmStart: [{}] }, 'field "warmStart[0].steps": is missing'],
    [
      { warm_start: [{ step: 3 }] },
      'field "warm_start[0].step": unknown key — did you mean steps?',
    ],
    [{ warm_start: { steps: 3, noise: { raw_value: 2 } } }, 'must be a number from 0 to 1, not 2'],
    [{ max_steps: 0 }, 'there would be no step'],
    [{ best_metric: 'suite' }, 'there is no suite'],
    [{ corpus_size: 10 }, '10 samples cannot fill a batch of 16'],
    [{ micro_batch_tokens: 100 }, 'do not hold one sequence'],
    [{ random_policy: { heads: 3 } }, 'does not divide into 3 heads'],
    [{ random_policy: { key_value_heads: 3 } }, 'cannot share 3 key/value heads'],
    [{ policy: '' }, 'must be a text, not ""'],
    [
      { train_batch_size: 12_801, corpus_size: 20_000 },
      'field "rollout_shard_size": the 16002 groups that a step rolls out at first would be 2001 activities, 2000 can be under way at once — use at least 9',
    ],
    [{ data: 'x.json', train_batch_size: 2000, rolloutShardSize: 1 }, 'use at least 2'],
    [{ rollout_precision: 'int8', device: 'cuda' }, 'int8 is for the CPU'],
    [{ rollout_precision: 'int8', importance_sampling_cap: 0 }, 'importance weights'],
    [{ gradient_shards: 2 }, 'gradients of all weights are too large'],
    [{ gradient_shards: 2, train_mode: 'lora', num_iterations: 2 }, 'with num_iterations 2'],
    [
      { max_steps: 1_000_000, eval_schedule: 1 },
      'field "eval_schedule": 1000000 evaluations are too many, 100000 can be planned — evaluate',
    ],
    [
      { num_train_epochs: 100_001, evalSchedule: 'epoch' },
      'field "evalSchedule": 100001 evaluations are too many',
    ],
  ])('refuses %j', (input, problem) => {
    expect(refusal(input).message).toContain(problem);
    expect(refusal(input).message).not.toContain('\n');
  });

  it.each<[RunConfigInput, string]>([
    [{ policy: 'builtin' }, "the weights are the service's"],
    [{ train_mode: 'full' }, 'trains LoRA adapters only'],
    [{ lora_alpha: 16 }, 'services use 32'],
    [{ beta: 0.1 }, 'no loss with a KL term'],
    [{ temperature: 0.7 }, 'those of temperature 1'],
    [{ rollout_precision: 'int8' }, 'decides itself how it computes'],
    [{ gradient_shards: 2 }, 'divides a gradient step itself'],
    [{ warm_start: { steps: 1 } }, 'no supervised cold start'],
    [{ tinker_base_url: 'http://me:secret@host' }, 'without user, password'],
  ])('refuses at a training service %j', (input, problem) => {
    const service = { backend: 'tinker', policy: 'DIR' };
    expect(resolveConfig(service)).toMatchObject({ trainMode: 'lora', baseModel: 'auto' });
    const error = refusal({ ...service, ...input });
    expect(error.code).toBe('config');
    expect(error.location.field).toBe(Object.keys(input)[0]);
    expect(error.message).toContain(problem);
  });

  it('limits the steps by a budget of tokens alone, and anew where a fork has another one', () => {
    const config = resolveConfig({ max_generated_tokens: 20_000 });
    expect(config.maxSteps).toBe(157);
    expect(resolveConfig({ max_generated_tokens: 1e12 }).maxSteps).toBe(1e8);
    const fork = (settings: RunConfigInput, of = config) =>
      changedConfig(of, settings, 'fork').config;
    expect(fork({ max_generated_tokens: 2_000_000 }).maxSteps).toBe(15_625);
    expect(fork({ num_generations: 4 }).maxSteps).toBe(313);
    expect(fork({ max_generated_tokens: -1 })).toMatchObject({ maxSteps: -1, numTrainEpochs: 3 });
    expect(fork({ num_train_epochs: 5 })).toMatchObject({ maxSteps: -1, numTrainEpochs: 5 });
    expect(fork({ max_generated_tokens: 2_000_000, max_steps: 200 }).maxSteps).toBe(200);
    expect(fork({ learning_rate: 1e-5 }).maxSteps).toBe(157);
    // One that somebody chose stays.
    const chosen = resolveConfig({ max_generated_tokens: 20_000, max_steps: 100 });
    expect(fork({ max_generated_tokens: 2_000_000 }, chosen).maxSteps).toBe(100);
    const { changes } = changedConfig(config, { max_generated_tokens: 2_000_000 }, 'fork');
    expect(changes).toEqual([
      { key: 'maxGeneratedTokens', from: 20_000, to: 2_000_000 },
      { key: 'maxSteps', from: 157, to: 15_625 },
    ]);
  });

  it('takes as many rollout shards as can be under way at once', () => {
    for (const input of [
      { train_batch_size: 12_800, corpus_size: 20_000 },
      { train_batch_size: 15_000, corpus_size: 16_000 },
      { train_batch_size: 65_536, data: 'x.json', rollout_shard_size: 41 },
    ]) {
      expect(() => resolveConfig(input)).not.toThrow();
    }
    const config = resolveConfig({ train_batch_size: 2048, corpus_size: 4096 });
    expect(() => changedConfig(config, { rollout_shard_size: 1 }, 'live')).toThrow(
      /"rolloutShardSize": the 2560 groups .* use at least 2/,
    );
  });

  it('filters by default with every sampler but uniform', () => {
    for (const sampler of SAMPLERS) {
      const config = resolveConfig({ sampler });
      expect(config.filterGroups).toBe(sampler !== 'uniform');
    }
    expect(resolveConfig({ sampler: 'uniform', filter_groups: true }).filterGroups).toBe(true);
    expect(resolveConfig({ sampler: 'dapo' }).maxBackfillRounds).toBeGreaterThan(0);
  });

  it('rolls out no more groups than asked where none is dropped', () => {
    expect(
      resolveConfig({ filterGroups: false, oversample: 2, maxBackfillRounds: 3 }),
    ).toMatchObject({ oversample: 1, maxBackfillRounds: 0 });
  });

  it('is gentler with a pre-trained policy', () => {
    expect(resolveConfig({ policy: 'smollm2', data: 'rows.json' })).toMatchObject({
      learningRate: 1e-5,
      maxPromptLength: 1024,
      maxCompletionLength: 256,
      oversample: 1.25,
      maxBackfillRounds: 1,
    });
    expect(resolveConfig({ policy: 'smollm2', train_mode: 'lora' }).learningRate).toBe(1e-4);
    expect(resolveConfig({ policy: 'smollm2', lr: 3e-6 }).learningRate).toBe(3e-6);
  });

  it('lets the micro-batch grow with the sequences unless it was chosen', () => {
    const config = resolveConfig({ policy: 'smollm2', max_prompt_length: 4000 });
    expect(config.microBatchTokens).toBe(4000 + 256);
  });

  it('fills a phase of the cold start', () => {
    const { warmStart } = resolveConfig({ warm_start: [{ steps: 10, learning_rate: 1e-3 }] });
    expect(warmStart).toEqual([
      {
        data: 'builtin',
        steps: 10,
        learningRate: 1e-3,
        finalLearningRate: 1e-4,
        batchTokens: 1000,
        levels: [0, 1, 2, 3],
        noise: { rawValue: 0, droppedCall: 0, missingParameter: 0, wrongTool: 0, brokenFormat: 0 },
      },
    ]);
  });
});

describe('mergeInputs', () => {
  it('lets the later configuration win, whatever the spelling', () => {
    const merged = mergeInputs({ lr: 1e-3, seed: 1 }, { learningRate: 2e-3 });
    expect(resolveConfig(merged)).toMatchObject({ learningRate: 2e-3, seed: 1 });
  });

  it('changes a single warm-start phase by fields, and replaces phases by phases', () => {
    const file = { warm_start: [{ steps: 3, levels: [0] }] };
    const fields = resolveConfig(mergeInputs(file, { 'warmStart.steps': 9 })).warmStart;
    expect(fields).toMatchObject([{ steps: 9, levels: [0] }]);
    const phases = resolveConfig(mergeInputs(file, { warmStart: [{ steps: 1 }, { steps: 2 }] }));
    expect(phases.warmStart.map(({ steps }) => steps)).toEqual([1, 2]);
    const two = { warmStart: [{ steps: 1 }, { steps: 2 }] };
    expect(() => mergeInputs(two, { 'warmStart.steps': 9 })).toThrow(/2 warm-start phases/);
  });
});

/** Inputs that resolve: a few keys each, of every kind, with values inside their ranges. */
const input = fc.record(
  {
    seed: fc.nat(),
    num_generations: fc.integer({ min: 2, max: 64 }),
    'train-batch-size': fc.integer({ min: 1, max: 64 }),
    learningRate: fc.double({ min: 0, max: 1, noNaN: true }),
    filter_groups: fc.boolean(),
    sampler: fc.constantFrom(...SAMPLERS),
    policy: fc.constantFrom('builtin', 'random', '/models/some'),
    data: fc.constantFrom('builtin', 'rows.parquet'),
    levelMix: fc.array(fc.double({ min: 0.1, max: 1, noNaN: true }), {
      minLength: 4,
      maxLength: 5,
    }),
    eval_schedule: fc.oneof(fc.integer({ min: 1, max: 99 }), fc.constantFrom('epoch', 'none')),
    sampling: fc.record({ uniform_share: fc.double({ min: 0, max: 1, noNaN: true }) }),
    warm_start: fc.array(fc.record({ steps: fc.integer({ min: 1, max: 999 }) }), { maxLength: 3 }),
    max_prompt_length: fc.integer({ min: 8, max: 4000 }),
  },
  { requiredKeys: [] },
);

describe('resolved configuration', () => {
  it('reads back as itself', () => {
    fc.assert(
      fc.property(input, (given) => {
        const resolved = resolveConfig(given);
        const printed: unknown = JSON.parse(JSON.stringify(resolved));
        expect(resolveConfig(printed as RunConfigInput)).toEqual(resolved);
      }),
    );
  });

  it('is the same from flags as from a file', () => {
    fc.assert(
      fc.property(input, (given) => {
        const { warm_start: _, ...plain } = given;
        const resolved = resolveConfig(plain);
        const flags: { [path: string]: unknown } = {};
        for (const { path, argument, parse } of flagsFromSchema()) {
          const value = valueAt(resolved, path);
          if (value === undefined) continue;
          flags[path] = argument === null ? value : parse(valueText(value));
        }
        expect(resolveConfig(flags)).toEqual(resolved);
      }),
      { numRuns: 30 },
    );
  });
});
