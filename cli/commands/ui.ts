import { openDashboard } from '../../dashboard/open-dashboard.ts';
import { untilInterrupted } from '../interrupt.ts';
import type { CommandContext } from '../program.ts';

/** `toolsample ui`: serves the dashboard until Ctrl-C. */
export async function ui(
  { terminal, home, json }: CommandContext,
  { port }: { readonly port: number | undefined },
): Promise<void> {
  const dashboard = await openDashboard({ home, log: (message) => terminal.note(message) }, port);
  try {
    terminal.print(
      json ? JSON.stringify({ address: dashboard.address }) : `Dashboard  ${dashboard.address}`,
    );
    terminal.note('Ctrl-C ends it');
    await untilInterrupted();
  } finally {
    await dashboard.close();
  }
}
