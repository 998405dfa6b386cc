import { CHANGEABILITY, type Changeability } from '../../contracts/changeability.ts';
import type { RunConfig, RunConfigInput } from '../../contracts/config.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { JsonValue } from '../../contracts/json.ts';
import { canonicalSettings, KNOWN_NAMES, mergeInputs } from './canonical.ts';
import { parseSetting } from './flags.ts';
import { foldName } from './names.ts';
import { checkSettings, resolveConfig } from './resolve.ts';

export interface ChangedConfig {
  readonly config: RunConfig;
  /** Canonical paths of the settings that were named, in their order. */
  readonly paths: readonly string[];
}

const REASONS: { readonly [why in Exclude<Changeability, 'live'>]: string } = {
  shape: 'the length or the shape of the run follows from it: start a new run',
  stored: 'what the run has stored was made with it: start a new run',
};

/**
 * The configuration of a run under way with other values for some settings.
 *
 * @throws ToolsampleError `config` for a key that is unknown (with the nearest known one), out of range, or cannot change now
 */
export function changedConfig(config: RunConfig, settings: RunConfigInput): ChangedConfig {
  const written = canonicalSettings(settings);
  for (const [path, { written: name }] of written) {
    const changeability = changeabilityOf(path);
    if (changeability === 'live') continue;
    throw new ToolsampleError('config', 'cannot change while a run is under way', {
      at: { field: name },
      hint: REASONS[changeability],
    });
  }
  // By itself first: then a value is refused under the name that was written.
  checkSettings(settings);
  return {
    config: resolveConfig(mergeInputs({ ...config }, settings)),
    paths: [...written.keys()],
  };
}

function changeabilityOf(path: string): Changeability {
  const known: { readonly [path: string]: Changeability } = CHANGEABILITY;
  return known[path] ?? 'stored';
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
