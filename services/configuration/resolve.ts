import type { z } from 'zod';
import type { RunConfig, RunConfigInput } from '../../contracts/config.ts';
import { checkValue } from '../../contracts/checked-value.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import { shown } from '../../contracts/shown-value.ts';
import { canonicalSettings, mergeInputs, type Settings } from './canonical.ts';
import { checkTogether } from './check-together.ts';
import {
  backendDefaults,
  filterDefault,
  lengthDefaults,
  phaseDefaults,
  situationalDefaults,
} from './defaults.ts';
import { CONFIG_KEYS } from './keys.ts';
import { spell, styleOf } from './names.ts';
import { runConfigSchema } from './schema.ts';
import { stepsOfBudget } from './token-budget.ts';

/**
 * Everything that decides a run, from any part of it in any spelling: names are made canonical, values checked, defaults
 * filled in. Resolving a resolved configuration changes nothing.
 * @throws ToolsampleError `config` with the field as it was written and what would be accepted.
 */
export function resolveConfig(input: RunConfigInput): RunConfig {
  // Merging a single input brings fields of a warm-start phase and whole phases together.
  const merged = mergeInputs(input);
  const settings = settingsAsWritten(merged, canonicalSettings(input));
  const config = parse(withDefaults(merged), settings);
  checkTogether(config, settings);
  return config;
}

/** The built-in run. */
export function defaultConfig(): RunConfig {
  return resolveConfig({});
}

/**
 * Checks names and single values; not how they fit together, nor whether anything is missing: flags may complete a file.
 * @throws ToolsampleError `config`.
 */
export function checkSettings(input: RunConfigInput): void {
  const merged = mergeInputs(input);
  const nested = withDefaults(merged);
  const { error } = checkValue(runConfigSchema, nested);
  const wrong = error?.issues.find(({ path }) => valueIn(nested, path) !== undefined);
  if (wrong === undefined) return;
  throw problemAt(wrong, nested, settingsAsWritten(merged, canonicalSettings(input)));
}

function settingsAsWritten(merged: RunConfigInput, written: Settings): Settings {
  return new Map(
    Object.entries(merged).map(([path, value]) => [
      path,
      written.get(path) ?? { written: path, value },
    ]),
  );
}

/** A nested object in the schema's shape, situational defaults filled in where the user is silent. */
function withDefaults(merged: RunConfigInput): RunConfigInput {
  const builtin: RunConfig = runConfigSchema.parse(backendDefaults(merged['backend']));
  // A value of the wrong type counts as not given here; the schema refuses it afterwards.
  const text = (path: 'policy' | 'data' | 'trainMode' | 'sampler'): string => {
    const value = merged[path];
    return typeof value === 'string' ? value : builtin[path];
  };
  const policy = text('policy');
  const data = text('data');
  const sampler = text('sampler');
  const filterGroups = merged['filterGroups'] ?? filterDefault(sampler);
  const situation = {
    policy,
    data,
    trainMode: text('trainMode'),
    sampler,
    filterGroups: filterGroups !== false,
  };
  const { warmStart: _none, ...scalars } = builtin;
  const flat: { [path: string]: unknown } = {
    ...scalars,
    ...lengthDefaults(policy, data),
    ...situationalDefaults(situation),
    ...merged,
    filterGroups,
    ...(situation.filterGroups ? {} : { oversample: 1, maxBackfillRounds: 0 }),
  };
  const numberAt = (path: string): number => {
    const value = flat[path];
    return typeof value === 'number' ? value : Number.NaN;
  };
  // The default of a budget that one sequence exceeds grows; a budget that the user chose is checked instead.
  const longest = numberAt('maxPromptLength') + numberAt('maxCompletionLength');
  if (merged['microBatchTokens'] === undefined && longest > numberAt('microBatchTokens'))
    flat['microBatchTokens'] = longest;
  const maxGeneratedTokens = numberAt('maxGeneratedTokens');
  if (
    maxGeneratedTokens > 0 &&
    merged['maxSteps'] === undefined &&
    merged['numTrainEpochs'] === undefined
  )
    flat['maxSteps'] = stepsOfBudget({
      maxGeneratedTokens,
      trainBatchSize: numberAt('trainBatchSize'),
      numGenerations: numberAt('numGenerations'),
    });
  return nestWithPhases(flat, situation);
}

function nestWithPhases(
  flat: RunConfigInput,
  situation: Parameters<typeof phaseDefaults>[0],
): RunConfigInput {
  const nested = unflatten(flat);
  const phases = nested['warmStart'] ?? [];
  const list = Array.isArray(phases) ? (phases as unknown[]) : [phases];
  return {
    ...nested,
    warmStart: list.map((phase) =>
      isObject(phase) ? { ...phaseDefaults(situation, phase), ...unflatten(phase) } : phase,
    ),
  };
}

/** `{'a.b': 1}` → `{a: {b: 1}}`. */
function unflatten(flat: RunConfigInput): { [key: string]: unknown } {
  const nested: { [key: string]: unknown } = {};
  for (const [path, value] of Object.entries(flat)) {
    const parts = path.split('.');
    const last = parts.pop() ?? path;
    let target = nested;
    for (const part of parts) {
      target[part] ??= {};
      target = target[part] as { [key: string]: unknown };
    }
    target[last] = value;
  }
  return nested;
}

/** Validates against the schema; the first problem becomes the error. */
function parse(nested: RunConfigInput, settings: Settings): RunConfig {
  const result = checkValue(runConfigSchema, nested);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw problemAt(issue, nested, settings);
}

function problemAt(
  issue: z.core.$ZodIssue | undefined,
  nested: RunConfigInput,
  settings: Settings,
): ToolsampleError {
  const path = issue?.path ?? [];
  if (path.length === 0 && issue?.code === 'custom') {
    return new ToolsampleError('config', issue.message, {
      hint: '`toolsample train --help` tells what each key accepts',
    });
  }
  const name = path.filter((part) => typeof part === 'string').join('.');
  const key = CONFIG_KEYS.find((candidate) => candidate.path === name);
  // A section or a phase that is of the wrong kind as a whole has no key of its own.
  const expected = key?.range ?? 'an object of settings';
  const value = valueIn(nested, path);
  return new ToolsampleError(
    'config',
    value === undefined
      ? `is missing, it must be ${expected}`
      : `must be ${expected}, not ${shown(value)}`,
    {
      at: { field: writtenPath(path, settings) },
      ...(key === undefined ? {} : { hint: key.description }),
    },
  );
}

function valueIn(nested: RunConfigInput, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inside, part) => (inside as { [part: PropertyKey]: unknown } | undefined)?.[part],
    nested,
  );
}

/** The field as the user wrote it, with indices: `warm_start[0].steps`. */
function writtenPath(path: readonly PropertyKey[], settings: Settings): string {
  const exact = settings.get(path.filter((part) => typeof part === 'string').join('.'));
  if (exact !== undefined) {
    const item = path.at(-1);
    return typeof item === 'number' ? `${exact.written}[${item}]` : exact.written;
  }
  const indexed = path
    .map(String)
    .join('.')
    .replaceAll(/\.(\d+)/g, '[$1]');
  return spell(indexed, styleOf(settings.get(String(path[0]))?.written ?? ''));
}

function isObject(value: unknown): value is RunConfigInput {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
