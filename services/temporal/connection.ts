import { Connection, isGrpcServiceError, type ConnectionOptions } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { loadClientConnectConfig } from '@temporalio/envconfig';

import { ToolsampleError } from '../../contracts/errors.ts';
import { SEARCH_ATTRIBUTES } from '../../contracts/temporal.ts';
import { errorLine } from '../../contracts/error-text.ts';
import { isLoopback } from '../http-server.ts';
import { errorMessage } from '../process.ts';

/** What a Temporal client (`Connection`) or worker (`NativeConnection`) connects with. May hold an API key. */
export type TemporalConnectionOptions = Pick<ConnectionOptions, 'metadata' | 'tls'> & {
  readonly address: string;
  readonly apiKey?: string;
};

/** The standard variables (`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`, `TEMPORAL_TLS…`) and profile file. */
export interface TemporalSettings {
  /** Null when no address is configured. */
  readonly connection: TemporalConnectionOptions | null;
  readonly namespace: string;
}

/** Reads the configuration that all Temporal tools share. @throws ToolsampleError `config` when it is malformed. */
export function temporalSettings(
  env: Readonly<Record<string, string | undefined>>,
): TemporalSettings {
  const given = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '',
  );
  try {
    const loaded = loadClientConnectConfig({ overrideEnvVars: Object.fromEntries(given) });
    const { address, apiKey, metadata, tls } = loaded.connectionOptions;
    return {
      namespace: loaded.namespace ?? 'default',
      connection:
        address === undefined
          ? null
          : {
              address,
              ...(typeof apiKey === 'string' ? { apiKey } : {}),
              ...(metadata === undefined ? {} : { metadata }),
              ...(tls === undefined ? {} : { tls }),
            },
    };
  } catch (error) {
    // The line alone, and no cause: below it a parser quotes the file, which may hold an API key.
    throw new ToolsampleError('config', `Temporal's configuration: ${errorLine(error)}`, {
      hint: 'correct the TEMPORAL_… variables or the profile file (TEMPORAL_CONFIG_FILE)',
    });
  }
}

/** For gRPC, which would ask a proxy of the environment (`https_proxy`) for this machine's own servers, too. */
export function proxyArgs(address: string | undefined): { readonly [option: string]: number } {
  const host = /^(.*?)(:\d+)?$/.exec(address ?? '')?.[1] ?? '';
  return isLoopback(host.replaceAll(/[[\]]/g, '')) ? { 'grpc.enable_http_proxy': 0 } : {};
}

/** Runs `work` with a connection that is closed afterwards. Each call on it ends within `milliseconds`. */
async function withTemporal<T>(
  options: TemporalConnectionOptions,
  work: (connection: Connection) => Promise<T>,
  milliseconds = 10_000,
): Promise<T> {
  const connection = Connection.lazy({
    ...options,
    connectTimeout: milliseconds,
    channelArgs: proxyArgs(options.address),
  });
  try {
    return await connection.withDeadline(Date.now() + milliseconds, async () => work(connection));
  } finally {
    await connection.close();
  }
}

/** The server's version if a Temporal frontend answers there; null for anything else. */
export async function probeTemporal(
  options: TemporalConnectionOptions,
  milliseconds = 2_000,
): Promise<string | null> {
  try {
    return await withTemporal(
      options,
      async (connection) => {
        const info = await connection.workflowService.getSystemInfo({});
        return info.serverVersion;
      },
      milliseconds,
    );
  } catch {
    return null;
  }
}

/** A namespace's server, checked. */
export interface CheckedNamespace {
  readonly serverVersion: string;
  /** Whether toolsample's search attributes are known there; without them workflows do not publish any. */
  readonly searchAttributes: boolean;
}

export interface CheckOptions {
  /** Limit for all of it. Default: ten seconds. */
  readonly milliseconds?: number;
  /** Whether missing search attributes are registered. Default: they are. */
  readonly register?: boolean;
}

/**
 * Checks that the server answers and has the namespace, and registers toolsample's search attributes where they are
 * missing. A server that does not let us (Temporal Cloud, stricter rights) is used without.
 * @throws ToolsampleError `service` when it does not answer, `config` when it refuses us or lacks the namespace.
 */
export async function checkNamespace(
  options: TemporalConnectionOptions,
  namespace: string,
  { milliseconds = 10_000, register = true }: CheckOptions = {},
): Promise<CheckedNamespace> {
  try {
    return await withTemporal(
      options,
      async (connection) => {
        const { workflowService } = connection;
        // One after the other: a call that the SDK retries after the connection was closed ends the process.
        const info = await workflowService.getSystemInfo({});
        await workflowService.describeNamespace({ namespace });
        return {
          serverVersion: info.serverVersion,
          searchAttributes: await knowsSearchAttributes(connection, namespace, register).catch(
            () => false,
          ),
        };
      },
      milliseconds,
    );
  } catch (error) {
    throw namespaceError(error, options.address, namespace);
  }
}

async function knowsSearchAttributes(
  { operatorService }: Connection,
  namespace: string,
  register: boolean,
): Promise<boolean> {
  // temporal.api.enums.v1.IndexedValueType
  const types = { KEYWORD: 2, INT: 3, DOUBLE: 4 } as const;
  const listed = await operatorService.listSearchAttributes({ namespace });
  const known: Readonly<Record<string, number>> = listed.customAttributes;
  const wanted = Object.values(SEARCH_ATTRIBUTES).map(
    ({ name, type }) => [name, types[type]] as const,
  );
  const clash = wanted.some(([name, type]) => (known[name] ?? type) !== type);
  if (clash) return false;
  const missing = wanted.filter(([name]) => !(name in known));
  if (missing.length > 0) {
    if (!register) return false;
    await operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing),
    });
  }
  return true;
}

function namespaceError(error: unknown, address: string, namespace: string): ToolsampleError {
  // gRPC status codes: 5 not found, 7 permission denied, 12 unimplemented, 16 unauthenticated.
  const code: number | undefined = isGrpcServiceError(error) ? error.code : undefined;
  const at = { file: address };
  if (code === 5) {
    return new ToolsampleError('config', `the server has no namespace "${namespace}"`, {
      at,
      hint: `create it (temporal operator namespace create -n ${namespace}) or set TEMPORAL_NAMESPACE`,
      cause: error,
    });
  }
  if (code === 7 || code === 16) {
    return new ToolsampleError('config', `the server refuses us: ${errorMessage(error)}`, {
      at,
      hint: 'check TEMPORAL_API_KEY, the TEMPORAL_TLS_… variables and TEMPORAL_NAMESPACE',
      cause: error,
    });
  }
  return new ToolsampleError(
    code === 12 ? 'config' : 'service',
    `no Temporal server answers: ${errorMessage(error)}`,
    {
      at,
      hint: 'start it, correct TEMPORAL_ADDRESS, or unset it to use a dev server of our own',
      cause: error,
    },
  );
}

/**
 * Keeps closed workflows in a dev server of ours: it would delete their history after a day.
 * Failing to is not worth failing for.
 */
export async function keepHistory(
  options: TemporalConnectionOptions,
  namespace: string,
): Promise<void> {
  const { seconds, nanos } = msToTs('3650 days');
  await withTemporal(options, async ({ workflowService }) =>
    workflowService.updateNamespace({
      namespace,
      config: {
        workflowExecutionRetentionTtl: { seconds: seconds ?? null, nanos: nanos ?? null },
      },
    }),
  ).catch(() => undefined);
}
