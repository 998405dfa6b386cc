import { describe, expect, it } from 'vitest';
import { CONFIG_KEYS } from '../../services/configuration/keys.ts';
import { ALIASES, editDistance, foldName, spell } from '../../services/configuration/names.ts';
import { resolveConfig } from '../../services/configuration/resolve.ts';

const message = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  return 'nothing was thrown';
};

describe('configuration names', () => {
  it('accepts every key in snake_case, kebab-case and camelCase', () => {
    for (const { path } of CONFIG_KEYS.filter(
      (key) => key.kind === 'integer' && key.group !== 'Cold start',
    )) {
      for (const style of ['snake', 'kebab', 'camel'] as const) {
        const name = spell(path, style);
        expect(message(() => resolveConfig({ [name]: 1.5 }))).toContain(`field "${name}"`);
      }
    }
  });

  it('folds no two keys to the same name, and no alias hides a key', () => {
    const folded = CONFIG_KEYS.map(({ path }) => foldName(path));
    expect(new Set(folded).size).toBe(folded.length);
    for (const alias of Object.keys(ALIASES)) expect(folded).not.toContain(foldName(alias));
  });

  it('maps every alias to a key that exists', () => {
    const paths = new Set(CONFIG_KEYS.map(({ path }) => path));
    for (const path of Object.values(ALIASES)) expect(paths).toContain(path);
  });

  it('reads the nesting of verl', () => {
    const config = resolveConfig({
      data: { train_batch_size: 4, max_response_length: 32 },
      actor_rollout_ref: {
        rollout: { n: 6 },
        actor: { optim: { lr: 1e-3, warmup_style: 'cosine' }, ppo_epochs: 2 },
      },
      algorithm: { filter_groups: { enable: false } },
      trainer: { total_epochs: 9 },
    });
    expect(config).toMatchObject({
      trainBatchSize: 4,
      maxCompletionLength: 32,
      numGenerations: 6,
      learningRate: 1e-3,
      lrSchedulerType: 'cosine',
      numIterations: 2,
      filterGroups: false,
      numTrainEpochs: 9,
      data: 'builtin',
    });
  });

  it('knows an interval between evaluations as eval_every', () => {
    expect(resolveConfig({ eval_every: 4 }).evalSchedule).toBe(4);
    expect(message(() => resolveConfig({ 'eval-every': 4, evalSchedule: 2 }))).toContain(
      'name the same setting',
    );
  });

  it.each([
    ['num_generation', 'did you mean num_generations?'],
    ['num-generation', 'did you mean num-generations?'],
    ['numGeneration', 'did you mean numGenerations?'],
    ['learning_rat', 'did you mean learning_rate?'],
    ['sampling.hard_treshold', 'did you mean sampling.hard_threshold?'],
    ['tarin_batch_size', 'did you mean train_batch_size?'],
    ['loss_agg_mode', 'use loss_type'],
    ['algorithm.filter_groups.max_num_gen_batches', 'use max_backfill_rounds'],
    ['frobnicate', '`toolsample train --help` lists all keys'],
  ])('refuses %s and says: %s', (name, advice) => {
    const said = message(() => resolveConfig({ [name]: 3 }));
    expect(said.startsWith(`field "${name}": unknown key — ${advice}`), said).toBe(true);
  });

  it('refuses two spellings of one setting', () => {
    expect(message(() => resolveConfig({ lr: 1, learning_rate: 1 }))).toContain(
      '"lr" and "learning_rate" name the same setting',
    );
  });

  it('counts insertions, deletions, replacements and swaps as one', () => {
    expect(editDistance('seed', 'seed')).toBe(0);
    expect(editDistance('sed', 'seed')).toBe(1);
    expect(editDistance('seeed', 'seed')).toBe(1);
    expect(editDistance('seen', 'seed')).toBe(1);
    expect(editDistance('sede', 'seed')).toBe(1);
    expect(editDistance('', 'seed')).toBe(4);
  });
});
