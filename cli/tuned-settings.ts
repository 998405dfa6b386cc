import { ToolsampleError } from '../contracts/errors.ts';
import type { JsonValue } from '../contracts/json.ts';
import { settingsFromText } from '../services/configuration/change.ts';

/**
 * Reads `sampler:key=value` as `compare --tuned` has them, sampler by sampler.
 *
 * @throws ToolsampleError `config` when one has another form, or a key comes twice for a sampler
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
    assignments.set(sampler, [...(assignments.get(sampler) ?? []), assignment]);
  }
  return Object.fromEntries(
    [...assignments].map(([sampler, own]) => [sampler, settingsFromText(own)]),
  );
}
