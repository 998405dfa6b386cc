import type { ToolsampleClient } from '../../client.ts';
import type { AcceptedRequest, Asked, RunRequest } from '../../contracts/requests.ts';
import { settingsFromText } from '../../services/configuration/change.ts';
import { ownInvocation, suggestion } from '../invocation.ts';
import type { CommandContext } from '../program.ts';
import { acceptedLines } from '../render/requests.ts';
import { findRunId } from '../run-reference.ts';
import { whoAsks } from '../who-asks.ts';

/** `toolsample pause | continue | stop | cancel | evaluate RUN`: asks it of a run under way, and says what will come of it. */
export async function steer(
  context: CommandContext,
  request: Exclude<RunRequest, 'set'>,
  reference: string,
): Promise<void> {
  await ask(context, reference, async (client, run, asked) => client[request](run, asked));
}

/** `toolsample set RUN key=value …`: changes settings of a run under way. */
export async function set(
  context: CommandContext,
  reference: string,
  assignments: readonly string[],
): Promise<void> {
  const settings = settingsFromText(assignments);
  await ask(context, reference, async (client, run, asked) =>
    client.set(run, { ...asked, settings }),
  );
}

async function ask(
  { terminal, home, json }: CommandContext,
  reference: string,
  request: (client: ToolsampleClient, run: string, asked: Asked) => Promise<AcceptedRequest>,
): Promise<void> {
  const { connectToolsample } = await import('../../client.ts');
  const client = await connectToolsample({ home, log: (message) => terminal.note(message) });
  try {
    const run = findRunId(reference, await client.runIds());
    const accepted = await request(client, run, { by: whoAsks() });
    if (json) terminal.print(JSON.stringify(accepted, null, 2));
    else {
      const command = (text: string): string => suggestion(ownInvocation(), home, text);
      for (const line of acceptedLines(accepted, command)) terminal.print(line);
    }
  } finally {
    await client.close();
  }
}
