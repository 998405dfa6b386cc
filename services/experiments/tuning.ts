import type { Changeability } from '../../contracts/changeability.ts';
import type { RunConfigInput } from '../../contracts/config.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import { DECIDED_SETTINGS, type ExperimentAsked } from '../../contracts/experiment.ts';
import { SAMPLERS, type SamplerName } from '../../contracts/sampling.ts';
import { canonicalSettings } from '../configuration/canonical.ts';
import { changeabilityOf } from '../configuration/change.ts';
import { spell } from '../configuration/names.ts';
import { checkSettings } from '../configuration/resolve.ts';

type Tuned = ExperimentAsked['tuned'];

/** What all runs of a seed have in common, or they could not be compared in pairs. */
const COMMON: readonly Changeability[] = ['weights', 'samples', 'rewards'];

/** Names and values as given → canonical names, sampler by sampler. @throws ToolsampleError `config` with the field */
export function tunedSettings(given: Tuned, compared: ReadonlySet<SamplerName>): Tuned {
  const tuned: { [sampler in SamplerName]?: RunConfigInput } = {};
  for (const sampler of SAMPLERS) {
    const settings = given[sampler];
    if (settings === undefined) continue;
    if (!compared.has(sampler)) {
      throw new ToolsampleError('config', 'no arm has this sampler', {
        at: { field: `tuned.${sampler}` },
        hint: 'compare it, or leave its settings out',
      });
    }
    // Values are refused under the names that were written.
    checkSettings(settings);
    const canonical = canonicalSettings(settings);
    const own = Object.fromEntries([...canonical].map(([path, { value }]) => [path, value]));
    const field = (path: string): string =>
      `tuned.${sampler}.${canonical.get(path)?.written ?? path}`;
    refuseDecided(own, field);
    refuseCommon(own, field);
    tuned[sampler] = own;
  }
  return tuned;
}

/** What somebody who reads the table should know. E.g. `uniform has its own settings: train_batch_size=2`. */
export function tuningNotes(tuned: Tuned): string[] {
  return SAMPLERS.flatMap((sampler) => {
    const settings = Object.entries(tuned[sampler] ?? {}).map(
      ([path, value]) => `${spell(path, 'snake')}=${String(value)}`,
    );
    return settings.length === 0 ? [] : `${sampler} has its own settings: ${settings.join(', ')}`;
  });
}

/**
 * Refuses settings that the experiment decides.
 *
 * @param settings by canonical name
 * @param fieldOf how a message names one
 * @throws ToolsampleError `config`
 */
export function refuseDecided(settings: RunConfigInput, fieldOf: (path: string) => string): void {
  const decided = DECIDED_SETTINGS.find((path) => settings[path] !== undefined);
  if (decided === undefined) return;
  throw new ToolsampleError('config', 'is decided by the experiment', {
    at: { field: fieldOf(decided) },
    hint: 'leave it out',
  });
}

function refuseCommon(settings: RunConfigInput, fieldOf: (path: string) => string): void {
  for (const path of Object.keys(settings)) {
    const why = changeabilityOf(path);
    if (!COMMON.includes(why)) continue;
    throw new ToolsampleError('config', `the runs of a seed have their ${why} in common`, {
      at: { field: fieldOf(path) },
      hint: 'give it for all runs',
    });
  }
}
