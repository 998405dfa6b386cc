import { inspectServices, type ServicesOptions } from '../services.ts';
import { checkArtifacts } from './artifacts.ts';
import { check, type Check } from './check.ts';
import { checkProviders } from './execution-providers.ts';
import { checkCores, checkDisk, checkMemory, checkNode } from './machine.ts';
import { checkPorts, checkPostgres, checkTemporal } from './servers.ts';
import { checkTensorRuntime } from './tensor-runtime.ts';

/** Looks at everything that a run needs, starting nothing and leaving nothing changed; the checks behind `toolsample doctor`. */
export async function diagnose(options: ServicesOptions): Promise<readonly Check[]> {
  const { home, env = process.env } = options;
  const machine = await Promise.all([
    checkNode(),
    checkCores(),
    checkMemory(),
    checkDisk(home),
    checkArtifacts(home, env),
  ]);
  const servers = await inspectServices(options).then(
    async (state) =>
      Promise.all([checkPorts(state), checkPostgres(state, env), checkTemporal(state, env)]),
    async (error: unknown) => [await check('Data folder', () => Promise.reject(error))],
  );
  return [...machine, ...servers, await checkTensorRuntime(), ...(await checkProviders())];
}
