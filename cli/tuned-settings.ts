import { ToolsampleError } from '../contracts/errors.ts';
import type { JsonValue } from '../contracts/json.ts';
import { SAMPLERS } from '../contracts/sampling.ts';
import { settingsFromText } from '../services/configuration/change.ts';

/**
 * Reads `sampler:key=value` as `compare --tuned` has them, sampler by sampler.
 *
 * @throws ToolsampleError `config` when one has another form or sampler, or a key comes twice for a sampler
 */
export function tunedFromText(texts: readonly string[]): {
  readonly [sampler: string]: { readonly [key: string]: JsonValue };
} {
  const assignments = new Map<string, string[]>();
  for (const text of texts) {
    const [, sampler, assignment] = /^([^:=]+):(.+)$/.exec(text) ?? [];
    if (sampler === undefined || assignment === undefined) {
      throw new ToolsampleError('config', `"${text}" is not of the form sampler:key=value`, {
        at: { field: '--tuned' },
        hint: 'e.g. uniform:learning_rate=1e-4',
      });
    }
    if (!SAMPLERS.some((known) => known === sampler)) {
      throw new ToolsampleError(
        'config',
        `must be one of ${SAMPLERS.join(', ')}, not "${sampler}"`,
        {
          at: { field: '--tuned' },
          hint: 'give sampler:key=value, e.g. uniform:learning_rate=1e-4',
        },
      );
    }
    assignments.set(sampler, [...(assignments.get(sampler) ?? []), assignment]);
  }
  return Object.fromEntries(
    [...assignments].map(([sampler, own]) => [sampler, settingsFromText(own)]),
  );
}
