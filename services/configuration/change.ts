import { isDeepStrictEqual } from 'node:util';
import { CHANGEABILITY, type Changeability } from '../../contracts/changeability.ts';
import type { RunConfig, RunConfigInput } from '../../contracts/config.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { JsonValue } from '../../contracts/json.ts';
import type { SettingChange } from '../../contracts/requests.ts';
import { canonicalSettings, KNOWN_NAMES, mergeInputs } from './canonical.ts';
import { parseSetting, valueAt } from './flags.ts';
import { foldName } from './names.ts';
import { checkSettings, resolveConfig } from './resolve.ts';
import { stepsOfBudget } from './token-budget.ts';

/** A setting with another value than before. */
export type ChangedSetting = Omit<SettingChange, 'fromStep'>;

export interface ChangedConfig {
  readonly config: RunConfig;
  /** Canonical paths of the settings that were named, in their order. */
  readonly paths: readonly string[];
  /** What differs: first what was named, then what follows from it. */
  readonly changes: readonly ChangedSetting[];
}

/** Who changes: a run under way its own settings, or a fork those of its parent. */
export type Changer = 'live' | 'fork';

const REFUSALS: { readonly [changer in Changer]: string } = {
  live: 'cannot change while a run is under way',
  fork: 'cannot change in a fork',
};

/** Why nobody changes a setting once a run is prepared. */
export const REASONS: { readonly [why in Exclude<Changeability, 'live' | 'fork'>]: string } = {
  weights: 'the weights that are stored come from it',
  samples: 'the samples that are stored were chosen and put in order with it',
  rewards: 'the rewards that are stored, and what was learnt from them, depend on it',
  steps: 'the steps of an epoch are counted with it',
};

/**
 * The configuration of a run under way, or of a fork, with other values for some settings.
 *
 * @throws ToolsampleError `config` for a key that is unknown (with the nearest known one), out of range, or cannot change now
 */
export function changedConfig(
  config: RunConfig,
  settings: RunConfigInput,
  changer: Changer,
): ChangedConfig {
  const written = canonicalSettings(settings);
  for (const [path, { written: name }] of written) {
    const changeability = changeabilityOf(path);
    if (changeability === 'live' || changeability === changer) continue;
    throw new ToolsampleError('config', REFUSALS[changer], {
      at: { field: name },
      hint:
        changeability === 'fork'
          ? 'the length or the shape of the run follows from it: start a new run, or `toolsample fork` this one with --set'
          : `${REASONS[changeability]}: start a new run`,
    });
  }
  // By itself first: then a value is refused under the name that was written.
  checkSettings(settings);
  const merged = resolveConfig(mergeInputs({ ...config }, settings));
  const paths = [...written.keys()];
  const next = withStepsOfBudget(config, merged, paths);
  return { config: next, paths, changes: differences(config, next, paths) };
}

/**
 * A number of steps that only followed from the budget of tokens follows from the new one. Epochs that are asked for limit a run in its
 * place, as they do in a run that is started with both.
 */
function withStepsOfBudget(
  config: RunConfig,
  next: RunConfig,
  named: readonly string[],
): RunConfig {
  if (named.includes('maxSteps') || config.maxSteps !== stepsOfBudget(config)) return next;
  const maxSteps = named.includes('numTrainEpochs') ? null : stepsOfBudget(next);
  return resolveConfig({ ...next, maxSteps: maxSteps ?? -1 });
}

function differences(
  config: RunConfig,
  next: RunConfig,
  first: readonly string[],
): ChangedSetting[] {
  return [...new Set([...first, ...Object.keys(CHANGEABILITY)])]
    .map((key) => ({ key, from: valueOf(config, key), to: valueOf(next, key) }))
    .filter(({ from, to }) => !isDeepStrictEqual(from, to));
}

function valueOf(config: RunConfig, path: string): JsonValue {
  return valueAt(config, path) as JsonValue;
}

/** When a setting may change; of those that are not listed: never. @param path canonical */
export function changeabilityOf(path: string): Changeability {
  const known: { readonly [path: string]: Changeability } = CHANGEABILITY;
  return known[path] ?? 'weights';
}

/**
 * Reads `key=value` as a command line has them; values as the flags of `train` take them.
 *
 * @throws ToolsampleError `config` when one has no `=`, or a key comes twice
 */
export function settingsFromText(assignments: readonly string[]): { [key: string]: JsonValue } {
  const settings: { [key: string]: JsonValue } = {};
  for (const assignment of assignments) {
    const at = assignment.indexOf('=');
    const key = assignment.slice(0, Math.max(at, 0)).trim();
    if (key === '') {
      throw new ToolsampleError('config', `"${assignment}" is not of the form key=value`, {
        hint: 'e.g. learning_rate=1e-4',
      });
    }
    if (key in settings) {
      throw new ToolsampleError('config', 'is given twice', { at: { field: key } });
    }
    const text = assignment.slice(at + 1).trim();
    settings[key] = parseSetting(KNOWN_NAMES.get(foldName(key)), text);
  }
  return settings;
}
