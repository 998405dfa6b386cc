import { access } from 'node:fs/promises';
import type { RunConfig, RunConfigInput } from '../contracts/config.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { namedPaths, withAbsolutePaths } from '../services/configuration/absolute-paths.ts';
import { mergeInputs } from '../services/configuration/canonical.ts';
import { loadConfigFile } from '../services/configuration/file.ts';
import { checkSettings, resolveConfig } from '../services/configuration/resolve.ts';

/**
 * The configuration that file and flags ask for, checked before anything is started.
 * @throws ToolsampleError `config` or `not-found`.
 */
export async function trainingConfig(
  file: string | undefined,
  flags: RunConfigInput,
): Promise<RunConfig> {
  return readableConfig(await settingsInput(file, flags));
}

/**
 * The settings of file and flags, each checked by itself.
 * @throws ToolsampleError `config` or `not-found`.
 */
export async function settingsInput(
  file: string | undefined,
  flags: RunConfigInput,
): Promise<RunConfigInput> {
  const fromFile = file === undefined ? {} : await loadConfigFile(file);
  // Apart from the file, a wrong flag is named as it was written.
  checkSettings(flags);
  return mergeInputs(fromFile, flags);
}

/**
 * The whole configuration that settings come to, whose files and folders are there.
 * @throws ToolsampleError `config` or `not-found`.
 */
export async function readableConfig(input: RunConfigInput): Promise<RunConfig> {
  const config = withAbsolutePaths(resolveConfig(input), process.cwd());
  for (const { field, path } of namedPaths(config)) {
    await access(path).catch((cause: unknown) => {
      throw new ToolsampleError('not-found', `cannot be read: ${path}`, {
        at: { field },
        hint: 'check the path; relative ones are of the working directory',
        cause,
      });
    });
  }
  return config;
}
