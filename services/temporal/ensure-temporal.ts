import { join } from 'node:path';

import { ToolsampleError } from '../../contracts/errors.ts';
import { readServiceState, updateServiceState, type DataFolder } from '../data-folder.ts';
import { accepts, freePort } from '../ports.ts';
import { errorMessage } from '../process.ts';
import { cliCaches, findCli } from './cli.ts';
import {
  checkNamespace,
  keepHistory,
  probeTemporal,
  temporalSettings,
  type TemporalConnectionOptions,
  type TemporalSettings,
} from './connection.ts';
import { keepDevDatabase } from './dev-database.ts';
import {
  hasDevServer,
  runningDevServer,
  startDevServer,
  stopDevServer,
  type DevServerOutcome,
  type DevServerPorts,
} from './dev-server.ts';
import { fetchCli } from './fetch-cli.ts';

/** Temporal's standard frontend port, and the UI of a dev server there. */
const STANDARD_PORT = 7233;
const STANDARD_UI_PORT = 8233;

export interface TemporalService {
  /** `host:port`. */
  readonly address: string;
  readonly namespace: string;
  /** For `Connection.connect` and `NativeConnection.connect`. May hold an API key: not for logs. */
  readonly connection: TemporalConnectionOptions;
  /** Null where we do not know it. */
  readonly uiUrl: string | null;
  /** Queue of light work; the accelerator's is `acceleratorQueue(taskQueue)`. */
  readonly taskQueue: string;
  /** Whether the server knows toolsample's search attributes. */
  readonly searchAttributes: boolean;
  /** `external`: configured, or found on 127.0.0.1:7233. `adopted`: our dev server, running already. */
  readonly how: 'external' | 'adopted' | 'started';
  readonly milliseconds: number;
}

export interface EnsureTemporalOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: (message: string) => void;
  /** Port of 127.0.0.1 on which a server of somebody else's is looked for; null: none is. Default 7233. */
  readonly localPort?: number | null;
}

/**
 * The task queue of a data folder: `TOOLSAMPLE_TASK_QUEUE`, else `toolsample-` and 8 digits of the folder's id, as
 * several folders may share one server.
 */
export function taskQueueOf(folder: DataFolder, env: EnsureTemporalOptions['env']): string {
  const chosen = env['TOOLSAMPLE_TASK_QUEUE'];
  return chosen === undefined || chosen === '' ? `toolsample-${folder.id.slice(0, 8)}` : chosen;
}

/**
 * A Temporal server that answers, with toolsample's search attributes. In this order: the configured one; the data
 * folder's own dev server, if it ever had one (its workflows are there); one that answers on 127.0.0.1:7233; a new dev
 * server, which outlives this process. Call it under the folder's lock.
 * @throws ToolsampleError saying what to do.
 */
export async function ensureTemporal(
  folder: DataFolder,
  { env, log, localPort = STANDARD_PORT }: EnsureTemporalOptions,
): Promise<TemporalService> {
  const begin = performance.now();
  const settings = temporalSettings(env);
  const { namespace } = settings;
  const finish = async (
    connection: TemporalConnectionOptions,
    uiUrl: string | null,
    how: TemporalService['how'],
  ): Promise<TemporalService> => {
    const { searchAttributes } = await checkNamespace(connection, namespace);
    return {
      address: connection.address,
      namespace,
      connection,
      uiUrl,
      taskQueue: taskQueueOf(folder, env),
      searchAttributes,
      how,
      milliseconds: Math.round(performance.now() - begin),
    };
  };

  if (settings.connection !== null) return finish(settings.connection, null, 'external');

  const known = readServiceState(folder.home)?.temporal ?? null;
  if (known !== null && (await runningDevServer(folder)) !== null) {
    const connection = { address: `127.0.0.1:${known.port}` };
    if ((await probeTemporal(connection, 20_000)) !== null) {
      // Who started it may have been killed before it could say so.
      await keepDevDatabase(folder);
      if (known.namespace === namespace) return finish(connection, uiUrlOf(known), 'adopted');
      log(`restarting the Temporal server for the namespace ${namespace}`);
    } else {
      log('the Temporal server does not answer: restarting it');
    }
    await stopDevServer(folder);
  }

  if (localPort !== null && !hasDevServer(folder)) {
    const found = await findLocalServer(localPort);
    if (found !== null) {
      log(`using the Temporal server on ${found.connection.address}`);
      return finish(found.connection, found.uiUrl, 'external');
    }
  }

  const ports = await startOwn(folder, known, namespace, { env, log });
  const connection = { address: `127.0.0.1:${ports.port}` };
  await keepHistory(connection, namespace);
  return finish(connection, uiUrlOf(ports), 'started');
}

function uiUrlOf({ uiPort }: DevServerPorts): string {
  return `http://127.0.0.1:${uiPort}`;
}

async function findLocalServer(
  port: number,
): Promise<{ connection: TemporalConnectionOptions; uiUrl: string | null } | null> {
  if (!(await accepts('127.0.0.1', port, 500))) return null;
  const connection = { address: `127.0.0.1:${port}` };
  if ((await probeTemporal(connection)) === null) return null;
  const withUi = port === STANDARD_PORT && (await accepts('127.0.0.1', STANDARD_UI_PORT, 500));
  return { connection, uiUrl: withUi ? uiUrlOf({ port, uiPort: STANDARD_UI_PORT }) : null };
}

async function startOwn(
  folder: DataFolder,
  known: DevServerPorts | null,
  namespace: string,
  { env, log }: Pick<EnsureTemporalOptions, 'env' | 'log'>,
): Promise<DevServerPorts> {
  const cli = (await findCli(folder, env)) ?? (await fetchCli(cliCaches(folder, env), log));
  const logFile = join(folder.logs, 'temporal.log');
  const taken = new Set<number>();
  const choose = async (name: string): Promise<number> => {
    const port = await freePort(`${folder.id}/${name}`, taken);
    taken.add(port);
    return port;
  };
  let ports = known ?? { port: await choose('temporal'), uiPort: await choose('temporal-ui') };
  let outcome: DevServerOutcome = { kind: 'port-taken' };
  for (let attempt = 0; outcome.kind === 'port-taken' && attempt < 10; attempt++) {
    if (attempt > 0) {
      ports = { port: await choose('temporal'), uiPort: await choose('temporal-ui') };
    }
    // Remembered first: whatever happens next, a server that runs can be found.
    updateServiceState(folder, {
      temporal: { port: ports.port, uiPort: ports.uiPort, namespace },
    });
    outcome = await startDevServer(folder, cli.path, ports, namespace, logFile);
  }
  if (outcome.kind === 'ready') return ports;
  throw new ToolsampleError(
    'service',
    `the Temporal server does not start: ${outcome.kind === 'failed' ? outcome.problem : 'no free port'}`,
    { at: { file: folder.temporal }, hint: `see ${logFile}` },
  );
}

export interface TemporalState {
  readonly source: 'external' | 'embedded';
  readonly state: 'running' | 'stopped' | 'absent';
  readonly address: string | null;
  readonly namespace: string;
  readonly uiUrl: string | null;
  /** Of our own dev server. */
  readonly pid: number | null;
  /** What is wrong with the configured server. */
  readonly problem: string | null;
}

/** How things stand, starting nothing. */
export async function inspectTemporal(
  folder: DataFolder | null,
  { env, localPort = STANDARD_PORT }: Omit<EnsureTemporalOptions, 'log'>,
): Promise<TemporalState> {
  const nothing = { address: null, uiUrl: null, pid: null, problem: null } as const;
  let settings: TemporalSettings;
  try {
    settings = temporalSettings(env);
  } catch (error) {
    const problem = errorMessage(error);
    return { ...nothing, source: 'external', state: 'stopped', namespace: 'default', problem };
  }
  const { connection, namespace } = settings;
  if (connection !== null) {
    const { address } = connection;
    const problem = await checkNamespace(connection, namespace, {
      milliseconds: 5_000,
      register: false,
    }).then(
      () => null,
      (error: unknown) => errorMessage(error),
    );
    const state = problem === null ? 'running' : 'stopped';
    return { ...nothing, source: 'external', state, address, namespace, problem };
  }
  const known = folder === null ? null : (readServiceState(folder.home)?.temporal ?? null);
  if (folder !== null && known !== null && hasDevServer(folder)) {
    const pid = await runningDevServer(folder);
    return {
      ...nothing,
      source: 'embedded',
      state: pid === null ? 'stopped' : 'running',
      address: `127.0.0.1:${known.port}`,
      namespace: known.namespace,
      uiUrl: uiUrlOf(known),
      pid,
    };
  }
  const found = localPort === null ? null : await findLocalServer(localPort);
  return found === null
    ? { ...nothing, source: 'embedded', state: 'absent', namespace }
    : {
        ...nothing,
        source: 'external',
        state: 'running',
        address: found.connection.address,
        namespace,
        uiUrl: found.uiUrl,
      };
}
