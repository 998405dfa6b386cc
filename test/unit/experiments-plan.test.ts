import { describe, expect, it } from 'vitest';
import {
  CORPUS_NAMES,
  DSCL_PARTS,
  type DsclPart,
  type Protocol,
} from '../../contracts/experiment.ts';
import { ABLATIONS } from '../../contracts/sampling.ts';
import { importance } from '../../dscl/importance.ts';
import { picksDynamically } from '../../dscl/activation.ts';
import { tunedFromText } from '../../cli/tuned-settings.ts';
import { resolveConfig } from '../../services/configuration/resolve.ts';
import { experimentArms } from '../../services/experiments/arms.ts';
import { configOfRun, planExperiment } from '../../services/experiments/plan.ts';

const plan = (asked: object) => planExperiment('night', { tokens: 100_000, ...asked });
const configOf = (found: ReturnType<typeof plan>, arm: string) =>
  configOfRun(found, found.runs.find((each) => each.arm === arm)?.run ?? '');

describe('the plan of an experiment', () => {
  it('has every sampler with every curriculum, seed by seed', () => {
    const { arms, runs, baseline } = plan({
      samplers: ['dscl', 'uniform'],
      curricula: ['none', 'tdcl'],
      seeds: 2,
      firstSeed: 7,
    });
    expect(arms.map(({ arm }) => arm)).toEqual([
      'dscl',
      'dscl + tdcl',
      'uniform',
      'uniform + tdcl',
    ]);
    expect(baseline).toBe('uniform');
    expect(runs.map(({ run }) => run)).toEqual([
      'night.dscl.7',
      'night.dscl-tdcl.7',
      'night.uniform.7',
      'night.uniform-tdcl.7',
      'night.dscl.8',
      'night.dscl-tdcl.8',
      'night.uniform.8',
      'night.uniform-tdcl.8',
    ]);
  });

  it('gives runs of a seed the same data, policy and budget: only the arm differs', () => {
    const found = plan({ samplers: ['uniform', 'dscl'], curricula: ['tdcl'], corpus: 'skewed' });
    const uniform = configOf(found, 'uniform + tdcl');
    const dscl = configOf(found, 'dscl + tdcl');
    expect(uniform).toMatchObject({
      maxGeneratedTokens: 100_000,
      corpusSize: 128,
      levelMix: [0.75, 0.05, 0.1, 0.1],
      wrongLabels: 0,
    });
    expect(dscl).toEqual({ ...uniform, sampler: 'dscl', filterGroups: true });
    // A budget alone decides the length.
    expect(
      uniform.maxSteps * uniform.trainBatchSize * uniform.numGenerations,
    ).toBeGreaterThanOrEqual(100_000);
  });

  it.each(CORPUS_NAMES)('lets settings that are given win over the corpus %s', (corpus) => {
    const found = plan({ corpus, config: { corpus_size: 48, eval_schedule: 5 } });
    expect(configOf(found, 'dscl')).toMatchObject({ corpusSize: 48, evalSchedule: 5 });
  });

  it('evaluates after the same tokens, however many steps these are', () => {
    const found = plan({ tuned: { dscl: { train_batch_size: 2 } } });
    for (const { arm } of found.arms)
      expect(configOf(found, arm)).toMatchObject({ evalSchedule: 'none', evalTokens: 6_250 });
    expect(configOf(plan({ config: { eval_schedule: 5 } }), 'dscl')).toMatchObject({
      evalSchedule: 5,
      evalTokens: 0,
    });
    expect(configOf(plan({ config: { eval_tokens: 70 } }), 'dscl').evalTokens).toBe(70);
  });

  it.each([
    [{ seed: 3 }, 'field "seed": is decided by the experiment'],
    [{ max_steps: 3 }, 'field "max_steps": is decided by the experiment'],
    [{ num_generationz: 3 }, 'unknown key'],
    [{ num_generations: 1 }, 'must be an integer from 2'],
  ])('refuses the settings %j', (config, problem) => {
    expect(() => plan({ config })).toThrow(problem);
  });

  it.each([
    [{ samplers: ['random'] }, 'field "samplers.0": must be one of uniform, dscl'],
    [{ samplers: [] }, 'there would be no run'],
    [{ tokens: 0 }, 'field "tokens": must be at least 1, not 0'],
    [{ seeds: 100, samplers: ['uniform', 'dscl'] }, 'are more than 300 runs'],
    [{ corpus: 'skewed', config: { data: '/some/file' } }, 'is a corpus of the built-in generator'],
    [{ colour: 'red' }, 'has the unknown key "colour"'],
  ])('refuses %j', (asked, problem) => {
    expect(() => plan(asked)).toThrow(problem);
  });

  it("gives a sampler's arms settings of their own", () => {
    const found = plan({
      samplers: ['uniform', 'dscl'],
      curricula: ['none'],
      without: ['staleness'],
      config: { learning_rate: 3e-4 },
      tuned: { dscl: { lr: 1e-4, train_batch_size: 4 } },
    });
    const [uniform, dscl, ablated] = found.arms.map(({ arm }) => configOf(found, arm));
    expect(uniform).toMatchObject({ learningRate: 3e-4, trainBatchSize: 16 });
    for (const config of [dscl, ablated])
      expect(config).toMatchObject({ learningRate: 1e-4, trainBatchSize: 4 });
    expect(found.notes).toEqual([
      'dscl has its own settings: learning_rate=0.0001, train_batch_size=4',
    ]);
  });

  it('reads settings of single samplers as the command line has them', () => {
    expect(tunedFromText(['dscl:lr=1e-4', 'vcrl:lr=2e-4', 'dscl:eval_schedule=epoch'])).toEqual({
      dscl: { lr: 1e-4, eval_schedule: 'epoch' },
      vcrl: { lr: 2e-4 },
    });
    expect(() => tunedFromText(['lr=1e-4'])).toThrow('not of the form sampler:key=value');
    expect(() => tunedFromText(['dscl:lr=1e-4', 'dscl:lr=2e-4'])).toThrow('is given twice');
  });

  it.each([
    [{ dscl: { seed: 3 } }, 'field "tuned.dscl.seed": is decided by the experiment'],
    [{ dscl: { policy: 'random' } }, 'the runs of a seed have their weights in common'],
    [{ dscl: { corpus_size: 8 } }, 'the runs of a seed have their samples in common'],
    [{ dscl: { learning_rat: 8 } }, 'unknown key'],
    [{ dscl: { learning_rate: -1 } }, 'learning_rate'],
    [{ vcrl: { learning_rate: 1e-4 } }, 'field "tuned.vcrl": no arm has this sampler'],
    [{ random: {} }, 'tuned'],
  ])('refuses %j as settings of single samplers', (tuned, problem) => {
    expect(() => plan({ samplers: ['uniform', 'dscl'], tuned })).toThrow(problem);
  });

  it('refuses a name that could be no folder', () => {
    expect(() => planExperiment('../up', { tokens: 1000 })).toThrow('is no name for an experiment');
  });
});

const shuffledOrNot = (protocol: Protocol) =>
  experimentArms({
    samplers: ['uniform', 'dapo', 'dscl'],
    curricula: ['none'],
    without: [],
    protocol,
  });

describe('protocols', () => {
  it('fixed prompts: a step rolls out its batch once, whoever filters', () => {
    const { arms: found, notes } = shuffledOrNot('fixed-prompts');
    expect(notes).toEqual([]);
    const configs = found.map(({ settings }) => resolveConfig(settings));
    expect(configs.map(({ filterGroups }) => filterGroups)).toEqual([false, true, true]);
    for (const config of configs)
      expect(config).toMatchObject({ oversample: 1, maxBackfillRounds: 0 });
  });

  it('fixed batch: groups without variance are made up for by all; uniform is DAPO then', () => {
    const { arms: found, notes } = shuffledOrNot('fixed-batch');
    expect(found.map(({ arm }) => arm)).toEqual(['uniform', 'dscl']);
    expect(notes).toHaveLength(1);
    for (const { settings } of found)
      expect(resolveConfig(settings)).toMatchObject({
        filterGroups: true,
        oversample: 1,
        maxBackfillRounds: 8,
      });
  });
});

describe('DSCL without a part', () => {
  const without = (part: DsclPart) => {
    const found = plan({ samplers: ['dscl'], curricula: ['tdcl'], without: [part] });
    const { arm } = found.arms.at(-1) ?? { arm: '' };
    return configOf(found, arm);
  };
  const whole = configOf(plan({ samplers: ['dscl'], curricula: ['tdcl'] }), 'dscl + tdcl');
  const STATISTICS = {
    visits: 3,
    mean: 0.5,
    withinVariance: 2,
    epochVariance: 1,
    meanOfMeans: 0,
    m2OfMeans: 3,
    still: 0,
    groupSize: 8,
    lastStep: 4,
  };
  const RANGE = { min: -3, max: 4 };
  const importanceUnder = ({ sampler, sampling }: typeof whole, statistics = STATISTICS) =>
    importance(statistics, RANGE, { ...sampling, sampler });

  it.each(ABLATIONS)('%s is one setting', (part) => {
    expect(without(part)).toEqual({ ...whole, sampling: { ...whole.sampling, ablate: [part] } });
  });

  it('curriculum and filtering are settings of their own', () => {
    expect(without('curriculum')).toEqual({ ...whole, curriculum: 'none' });
    expect(without('filtering')).toEqual({ ...whole, filterGroups: false });
  });

  it.each(['mean', 'variance', 'epoch-variance'] as const)('%s changes the importance', (part) => {
    expect(importanceUnder(without(part))).not.toBe(importanceUnder(whole));
  });

  it('categories: what is mastered keeps an importance', () => {
    const mastered = { ...STATISTICS, mean: 4, withinVariance: 0 };
    expect(importanceUnder(whole, mastered)).toBe(0);
    expect(importanceUnder(without('categories'), mastered)).toBeGreaterThan(0);
  });

  it('activation: prompts are picked by importance from the first step on', () => {
    const atFirst = ({ sampler, sampling }: typeof whole) =>
      picksDynamically({ active: false, streak: 0 }, { ...sampling, sampler });
    expect(atFirst(whole)).toBe(false);
    expect(atFirst(without('activation'))).toBe(true);
  });

  it('every part has its arm, but filtering where the batch is fixed', () => {
    const found = plan({ samplers: [], curricula: ['tdcl'], without: [...DSCL_PARTS] });
    expect(found.arms.map(({ arm }) => arm)).toEqual([
      'dscl + tdcl without mean',
      'dscl + tdcl without variance',
      'dscl + tdcl without epoch-variance',
      'dscl + tdcl without categories',
      'dscl + tdcl without staleness',
      'dscl + tdcl without activation',
      'dscl',
      'dscl + tdcl without filtering',
    ]);
    expect(() => plan({ without: ['filtering'], protocol: 'fixed-batch' })).toThrow(
      'a fixed batch cannot do without filtering',
    );
  });
});
