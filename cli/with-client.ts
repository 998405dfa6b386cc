import type { ToolsampleClient } from '../client.ts';
import type { ExitCode } from './failure.ts';
import { requireFreeAddress } from './metrics-option.ts';
import type { CommandContext } from './program.ts';

/**
 * Starts what is not running, says where it is, and works with it, whether or not somebody reads on; tells how long the start took. For
 * commands that serve a run with a worker of their own.
 *
 * @throws ToolsampleError `config`, before anything is started, when metrics cannot be served where they are wanted
 */
export async function withClient(
  { terminal, home, metrics }: CommandContext,
  work: (client: ToolsampleClient, serviceSeconds: number) => Promise<ExitCode>,
): Promise<ExitCode> {
  // A closed pipe is no wish to stop a run that was asked for.
  terminal.outliveReader();
  if (metrics !== undefined) await requireFreeAddress(metrics);
  const begin = Date.now();
  // Loaded only now: a mistake on the command line is told without waiting for Temporal's and Postgres' libraries.
  const [{ connectToolsample }, { serviceLines }] = await Promise.all([
    import('../client.ts'),
    import('./commands/up.ts'),
  ]);
  const client = await connectToolsample({ home, log: (message) => terminal.note(message) });
  try {
    for (const line of serviceLines(client.services, terminal)) terminal.note(line);
    return await work(client, (Date.now() - begin) / 1000);
  } finally {
    await client.close();
  }
}
