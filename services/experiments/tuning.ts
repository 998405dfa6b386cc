import { CHANGEABILITY, type Changeability } from '../../contracts/changeability.ts';
import type { RunConfigInput } from '../../contracts/config.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import { DECIDED_SETTINGS, type ExperimentAsked } from '../../contracts/experiment.ts';
import { SAMPLERS, type SamplerName } from '../../contracts/sampling.ts';
import { canonicalSettings } from '../configuration/canonical.ts';
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
        hint: `compare it, or leave its settings out`,
      });
    }
    // Values are refused under the names that were written.
    checkSettings(settings);
    const canonical = canonicalSettings(settings);
    for (const [path, { written }] of canonical) requireOwn(path, `tuned.${sampler}.${written}`);
    tuned[sampler] = Object.fromEntries([...canonical].map(([path, { value }]) => [path, value]));
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

function requireOwn(path: string, field: string): void {
  if (DECIDED_SETTINGS.some((decided) => decided === path)) {
    throw new ToolsampleError('config', 'is decided by the experiment', {
      at: { field },
      hint: 'leave it out',
    });
  }
  const known: { readonly [path: string]: Changeability } = CHANGEABILITY;
  const why = known[path] ?? 'weights';
  if (COMMON.includes(why)) {
    throw new ToolsampleError('config', `the runs of a seed have their ${why} in common`, {
      at: { field },
      hint: 'give it for all runs',
    });
  }
}
