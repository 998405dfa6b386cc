import { stopServices } from '../../services/services.ts';
import type { CommandContext } from '../program.ts';

/** `toolsample down`: stops the services that this data folder started; their data stays. */
export async function down({ terminal, home, json }: CommandContext): Promise<void> {
  const stopped = await stopServices(home);
  if (json) {
    terminal.print(JSON.stringify({ home, stopped }, null, 2));
    return;
  }
  const names = [
    ...(stopped.postgres ? ['Postgres'] : []),
    ...(stopped.temporal ? ['Temporal'] : []),
  ];
  terminal.print(
    names.length === 0
      ? `nothing of ${home} was running`
      : `stopped ${names.join(' and ')}; the data stays in ${home}`,
  );
}
