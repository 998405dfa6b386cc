import { z } from 'zod';
import { checkValue } from '../../contracts/checked-value.ts';
import type { RunConfig, RunConfigInput } from '../../contracts/config.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import {
  CORPUS_NAMES,
  DSCL_PARTS,
  PROTOCOLS,
  type ExperimentAsked,
  type ExperimentPlan,
  type ExperimentRun,
} from '../../contracts/experiment.ts';
import { CURRICULA, SAMPLERS, type SamplerName } from '../../contracts/sampling.ts';
import { mergeInputs } from '../configuration/canonical.ts';
import { spell } from '../configuration/names.ts';
import { resolveConfig } from '../configuration/resolve.ts';
import { requireName } from '../new-name.ts';
import { armSlug, baselineOf, experimentArms } from './arms.ts';
import { NAMED_CORPORA } from './named-corpora.ts';
import { refuseDecided, tunedSettings, tuningNotes } from './tuning.ts';

/** More would make the workflow's history long; several experiments can share a data folder. */
const MOST_RUNS = 300;
/** Evaluations that a run has about, the one at its end included. */
const EVALUATIONS = 16;

const distinct = <T extends string>(words: readonly T[]) =>
  z
    .array(z.enum(words))
    .max(words.length)
    .transform((list): readonly T[] => [...new Set(list)]);

const askedSchema = z.strictObject({
  samplers: distinct(SAMPLERS).default(['uniform', 'dscl']),
  curricula: distinct(CURRICULA).default(['none', 'tdcl']),
  without: distinct(DSCL_PARTS).default([]),
  seeds: z.int().min(1).max(100).default(5),
  firstSeed: z.int().min(0).max(1_000_000_000).default(1),
  tokens: z.int().min(1).max(1_000_000_000_000),
  protocol: z.enum(PROTOCOLS).default('fixed-prompts'),
  corpus: z.enum(CORPUS_NAMES).nullable().default(null),
  parallel: z.int().min(1).max(64).default(1),
  config: z.record(z.string(), z.unknown()).default({}),
  tuned: z.partialRecord(z.enum(SAMPLERS), z.record(z.string(), z.unknown())).default({}),
});

/** How messages name a field of what is asked for: whoever types flags knows it by another name. */
type FieldName = (path: readonly PropertyKey[]) => string;

const OWN_NAME: FieldName = (path) => path.map(String).join('.');

/**
 * What is asked for, with all defaults filled in.
 * @throws ToolsampleError `config` with the field
 */
function experimentAsked(input: unknown, fieldOf: FieldName): ExperimentAsked {
  const { data, error } = checkValue(askedSchema, input);
  if (data === undefined) throw problemOf(error, fieldOf);
  const config = mergeInputs(data.config);
  refuseDecided(config, (path) => spell(path, 'snake'));
  if (data.samplers.length + data.without.length === 0 || data.curricula.length === 0)
    throw new ToolsampleError('config', 'there would be no run', {
      at: { field: fieldOf([data.curricula.length === 0 ? 'curricula' : 'samplers']) },
      hint: 'name at least one',
    });
  const compared = new Set(data.samplers);
  if (data.without.length > 0) compared.add('dscl');
  return { ...data, config, tuned: tunedSettings(data.tuned, compared) };
}

/**
 * Spells an experiment out: its arms and runs, each checked as a configuration of its own.
 *
 * @param fieldOf how messages name a field of the input; default: as the input does
 * @throws ToolsampleError `config` when a name, a setting or the number of runs is not as it should be
 */
export function planExperiment(
  experiment: string,
  input: unknown,
  fieldOf: FieldName = OWN_NAME,
): ExperimentPlan {
  requireName('experiment', experiment);
  const asked = experimentAsked(input, fieldOf);
  const { arms, notes } = experimentArms(asked);
  const base = baseSettings(asked, fieldOf);
  const tuned = arms.map(({ arm, settings }) => ({
    arm,
    settings: { ...settings, ...asked.tuned[settings['sampler'] as SamplerName] },
  }));
  const seeds = Array.from({ length: asked.seeds }, (_, i) => asked.firstSeed + i);
  if (arms.length * seeds.length > MOST_RUNS) {
    throw new ToolsampleError(
      'config',
      `${arms.length} arms with ${seeds.length} seeds are more than ${MOST_RUNS} runs`,
      { hint: 'compare fewer at a time' },
    );
  }
  for (const { settings } of tuned) resolveConfig(runInput(base, settings, asked.firstSeed));
  const runs = seeds.flatMap((seed) =>
    arms.map(({ arm }): ExperimentRun => ({
      run: `${experiment}.${armSlug(arm)}.${seed}`,
      arm,
      seed,
    })),
  );
  return {
    asked,
    base,
    arms: tuned,
    baseline: baselineOf(arms),
    runs,
    notes: [...notes, ...tuningNotes(asked.tuned)],
  };
}

/** The whole configuration of a planned run. */
export function configOfRun({ base, arms, runs }: ExperimentPlan, run: string): RunConfig {
  const planned = runs.find((each) => each.run === run);
  const settings = arms.find(({ arm }) => arm === planned?.arm)?.settings;
  if (planned === undefined || settings === undefined)
    throw new Error(`no run "${run}" is planned`);
  return resolveConfig(runInput(base, settings, planned.seed));
}

/** Input of one run. All keys are canonical, so that later ones win. */
function runInput(base: RunConfigInput, settings: RunConfigInput, seed: number): RunConfigInput {
  return { ...base, ...settings, seed };
}

function baseSettings(
  { config, corpus, tokens }: ExperimentAsked,
  fieldOf: FieldName,
): RunConfigInput {
  const preset = corpus === null ? {} : NAMED_CORPORA[corpus];
  if (corpus !== null && config['data'] !== undefined && config['data'] !== 'builtin') {
    throw new ToolsampleError('config', `${corpus} is a corpus of the built-in generator`, {
      at: { field: fieldOf(['corpus']) },
      hint: 'give either a corpus or data',
    });
  }
  return {
    ...preset,
    // Arms are measured after the same tokens, whatever a step of theirs costs.
    evalSchedule: 'none',
    evalTokens: config['evalSchedule'] === undefined ? Math.ceil(tokens / EVALUATIONS) : 0,
    // Nobody goes back to a run of an experiment: what is kept is what it goes on from, and its best.
    saveTotalLimit: 1,
    saveEpochs: 0,
    ...config,
    maxGeneratedTokens: tokens,
  };
}

function problemOf(
  error: Pick<z.ZodError, 'issues'> | undefined,
  fieldOf: FieldName,
): ToolsampleError {
  const [issue] = error?.issues ?? [];
  const path = issue?.path ?? [];
  return new ToolsampleError('config', issue?.message ?? 'is not as it should be', {
    at: path.length === 0 ? {} : { field: fieldOf(path) },
    hint: '`toolsample compare --help` tells what is accepted',
  });
}
