import { Client } from 'pg';

import { ToolsampleError } from '../../contracts/errors.ts';
import { errorCode, errorMessage } from '../process.ts';

const UNREADABLE = '(a connection string that is not a URL)';

/** A connection string without its password, for people to read. Also hides what cannot be parsed, or not as it was meant. */
export function redactUrl(url: string): string {
  try {
    const parsed = new URL(url);
    // Of a password that is not escaped, "#", "/" and "?" make something else.
    const { pathname, search, hash } = parsed;
    if (hash !== '' || pathname.includes('@') || (pathname === '' && search.includes('@')))
      return UNREADABLE;
    if (parsed.password !== '') parsed.password = '***';
    for (const key of parsed.searchParams.keys()) {
      if (/password/i.test(key)) parsed.searchParams.set(key, '***');
    }
    return parsed.toString();
  } catch {
    return UNREADABLE;
  }
}

/** Runs `work` with one connection. @param milliseconds limit for connecting. */
export async function withClient<T>(
  url: string,
  work: (client: Client) => Promise<T>,
  milliseconds = 10_000,
): Promise<T> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: milliseconds });
  // Without a listener, a server that goes away ends the process; the pending call rejects anyway.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/**
 * Checks a server of the user's by connecting and asking for what migrations need.
 * @returns its version, e.g. `18.4`.
 * @throws ToolsampleError `config` for a wrong address, user, password or database; `service` when it does not answer.
 */
export async function checkDatabaseUrl(url: string): Promise<string> {
  if (!/^postgres(ql)?:\/\//.test(url) || redactUrl(url) === UNREADABLE) {
    throw new ToolsampleError('config', 'DATABASE_URL is not a Postgres connection string', {
      hint: 'write it as postgres://user:password@host:5432/database; a "/", "#", "?" or "@" in the password as %2F, %23, %3F or %40',
    });
  }
  try {
    return await withClient(url, async (client) => {
      const { rows } = await client.query<{ version: string; allowed: boolean }>(
        `select current_setting('server_version') as version,
                has_database_privilege(current_database(), 'CREATE') as allowed`,
      );
      const [row] = rows;
      if (row?.allowed !== true) {
        throw new ToolsampleError('config', 'the user of DATABASE_URL may not create schemas', {
          at: { file: redactUrl(url) },
          hint: 'grant it CREATE on the database',
        });
      }
      return row.version;
    });
  } catch (error) {
    throw connectionError(error, url);
  }
}

function connectionError(error: unknown, url: string): ToolsampleError {
  if (error instanceof ToolsampleError) return error;
  const code = errorCode(error) ?? '';
  const at = { file: redactUrl(url) };
  // Classes 28 and 3D: authorisation, unknown database; ENOTFOUND: unknown host. A retry would not help.
  const wrong = code.startsWith('28') || code.startsWith('3D') || code === 'ENOTFOUND';
  // pg's own messages never hold the password, but a parser's might quote the string.
  const message = errorMessage(error).replaceAll(url, redactUrl(url));
  return new ToolsampleError(
    wrong ? 'config' : 'service',
    `cannot connect to DATABASE_URL: ${message}`,
    {
      at,
      hint: wrong
        ? 'correct DATABASE_URL, or unset it to use the embedded server'
        : 'start that server, or unset DATABASE_URL to use the embedded one',
      cause: error,
    },
  );
}
