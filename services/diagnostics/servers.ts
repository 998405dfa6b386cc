import { join } from 'node:path';

import { readServiceState } from '../data-folder.ts';
import { freePort, isPortFree } from '../ports.ts';
import { postgresAccount } from '../postgres/account.ts';
import { installedBinaries } from '../postgres/binaries.ts';
import { checkDatabaseUrl, redactUrl } from '../postgres/connection.ts';
import type { ServicesState } from '../services.ts';
import { cliCaches, findCli } from '../temporal/cli.ts';
import { checkNamespace, temporalSettings } from '../temporal/connection.ts';
import { cliSources } from '../temporal/fetch-cli.ts';
import { check, type Check } from './check.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether the embedded servers can listen on 127.0.0.1, on their remembered ports where they have some. */
export function checkPorts({ folder, postgres, temporal }: ServicesState): Promise<Check> {
  return check('Ports', async () => {
    const known = folder === null ? null : readServiceState(folder.home);
    // An embedded server that runs holds its own ports.
    const idle = [
      ...(postgres.state === 'running' ? [] : [known?.postgres?.port]),
      ...(temporal.state === 'running' ? [] : [known?.temporal?.port, known?.temporal?.uiPort]),
    ].filter((port) => port !== undefined);
    const taken: number[] = [];
    for (const port of idle) {
      if (!(await isPortFree(port))) taken.push(port);
    }
    if (taken.length > 0) {
      return {
        status: 'warn',
        found: `${taken.join(', ')} of 127.0.0.1 now used by other programs`,
        advice: 'nothing to do: others are chosen at the next start',
      };
    }
    const port = await freePort('doctor', new Set());
    return ok(`127.0.0.1 has free ones, e.g. ${port}`);
  });
}

function ok(found: string): Omit<Check, 'name'> {
  return { status: 'ok', found, advice: null };
}

export function checkPostgres(state: ServicesState, env: Environment): Promise<Check> {
  const { folder, postgres } = state;
  return check('Postgres', async () => {
    if (postgres.source === 'external') {
      const url = env['DATABASE_URL'] ?? '';
      return ok(`${await checkDatabaseUrl(url)} at ${redactUrl(url)} (DATABASE_URL)`);
    }
    if (postgres.state === 'running') {
      return ok(
        `embedded, process ${postgres.pid} on 127.0.0.1:${postgres.port}, files in ${postgres.folder}`,
      );
    }
    const account = await postgresAccount(
      folder === null ? null : (readServiceState(folder.home)?.postgres?.account ?? null),
    );
    const { version, reachable } = await installedBinaries(account);
    const user = account === null ? '' : `, as the user ${account.name}`;
    const copied = reachable ? '' : ' (its programs are copied first: that user cannot enter here)';
    return ok(`embedded ${version}, starts when needed${user}${copied}`);
  });
}

export function checkTemporal(state: ServicesState, env: Environment): Promise<Check> {
  const { folder, temporal } = state;
  return check('Temporal', async () => {
    const settings = temporalSettings(env);
    const connection =
      settings.connection ??
      (temporal.state === 'running' && temporal.address !== null
        ? { address: temporal.address }
        : null);
    if (connection !== null) {
      const { serverVersion, searchAttributes } = await checkNamespace(
        connection,
        temporal.namespace,
        { milliseconds: 5_000, register: false },
      );
      const process = temporal.pid === null ? '' : `, process ${temporal.pid}`;
      return {
        status: searchAttributes ? 'ok' : 'warn',
        found: `server ${serverVersion} at ${connection.address}${process}, namespace ${temporal.namespace}`,
        advice: searchAttributes
          ? null
          : 'it lacks our search attributes: toolsample up registers them where it may; runs work without',
      };
    }
    const caches = cliCaches(folder, env);
    const cli = await findCli(folder, env);
    if (cli !== null) {
      return ok(`dev server of the CLI ${cli.version} (${cli.path}), starts when needed`);
    }
    const sources = await cliSources();
    return sources.length > 0
      ? ok(
          `the CLI is fetched at the first start from ${sources.join(' or ')} to ${join(caches[0] ?? '', 'bin')}`,
        )
      : {
          status: 'fail',
          found: 'no Temporal CLI, and no way to fetch one',
          advice:
            'install it (https://docs.temporal.io/cli) so that "temporal" is on the PATH, or set TEMPORAL_ADDRESS',
        };
  });
}
