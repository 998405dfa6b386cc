import { resolve } from 'node:path';
import type { RunConfig, RunConfigInput } from '../../contracts/config.ts';
import { mergeInputs } from './canonical.ts';

/** Values of path keys that are no paths. */
const WORDS: ReadonlySet<string> = new Set(['builtin', 'random', 'auto', 'none']);

/** Makes the configuration's files absolute: the worker that reads them may run elsewhere on the machine. */
export function withAbsolutePaths(config: RunConfig, folder: string): RunConfig {
  const absolute = (path: string): string => absolutePath(path, folder);
  return {
    ...config,
    policy: absolute(config.policy),
    data: absolute(config.data),
    evalData: absolute(config.evalData),
    evalSuite: absolute(config.evalSuite),
    warmStart: config.warmStart.map((phase) => ({ ...phase, data: absolute(phase.data) })),
  };
}

/** The same for a part of a configuration, in any spelling; its keys become canonical. */
export function withAbsoluteInput(input: RunConfigInput, folder: string): RunConfigInput {
  const absolute = (value: unknown): unknown =>
    typeof value === 'string' ? absolutePath(value, folder) : value;
  const merged = mergeInputs(input);
  const paths = Object.entries(merged).flatMap(([key, value]) => {
    if (PATH_KEYS.has(key)) return [[key, absolute(value)]];
    if (key !== 'warmStart' || !Array.isArray(value)) return [];
    const phases = (value as RunConfigInput[]).map((phase) =>
      phase['data'] === undefined ? phase : { ...phase, data: absolute(phase['data']) },
    );
    return [[key, phases]];
  });
  return { ...merged, ...Object.fromEntries(paths) } as RunConfigInput;
}

const PATH_KEYS: ReadonlySet<string> = new Set([
  'policy',
  'data',
  'evalData',
  'evalSuite',
  'warmStart.data',
]);

function absolutePath(path: string, folder: string): string {
  return WORDS.has(path) ? path : resolve(folder, path);
}

/** The files and folders that a configuration names, by key. */
export function namedPaths(
  config: RunConfig,
): readonly { readonly field: string; readonly path: string }[] {
  return [
    { field: 'policy', path: config.policy },
    { field: 'data', path: config.data },
    { field: 'eval_data', path: config.evalData },
    { field: 'eval_suite', path: config.evalSuite },
    ...config.warmStart.map(({ data }, index) => ({
      field: `warm_start[${index}].data`,
      path: data,
    })),
  ].filter(({ path }) => !WORDS.has(path));
}
