import { openRuns } from '../../client/run-reader.ts';
import type { CommandContext } from '../program.ts';
import { statusLines } from '../render/outcome.ts';
import { findRunId } from '../run-reference.ts';

/** `toolsample status RUN`: how far a run is and what it has reached. */
export async function showStatus(
  { terminal, home, json }: CommandContext,
  reference: string,
): Promise<void> {
  const reader = await openRuns({ home, log: (message) => terminal.note(message) });
  try {
    const run = findRunId(reference, await reader.runIds());
    const status = await reader.status(run);
    if (json) terminal.print(JSON.stringify(status, null, 2));
    else for (const line of statusLines(status, terminal.paint)) terminal.print(line);
  } finally {
    await reader.close();
  }
}
