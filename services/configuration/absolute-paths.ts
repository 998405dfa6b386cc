import { resolve } from 'node:path';
import type { RunConfig } from '../../contracts/config.ts';

/** Values of path keys that are no paths. */
const WORDS: ReadonlySet<string> = new Set(['builtin', 'random', 'auto']);

/** Makes the configuration's files absolute: the worker that reads them may run elsewhere on the machine. */
export function withAbsolutePaths(config: RunConfig, folder: string): RunConfig {
  const absolute = (path: string): string => (WORDS.has(path) ? path : resolve(folder, path));
  return {
    ...config,
    policy: absolute(config.policy),
    data: absolute(config.data),
    evalData: absolute(config.evalData),
    warmStart: config.warmStart.map((phase) => ({ ...phase, data: absolute(phase.data) })),
  };
}

/** The files and folders that a configuration names, by key. */
export function namedPaths(
  config: RunConfig,
): readonly { readonly field: string; readonly path: string }[] {
  return [
    { field: 'policy', path: config.policy },
    { field: 'data', path: config.data },
    { field: 'eval_data', path: config.evalData },
    ...config.warmStart.map(({ data }, index) => ({
      field: `warm_start[${index}].data`,
      path: data,
    })),
  ].filter(({ path }) => !WORDS.has(path));
}
