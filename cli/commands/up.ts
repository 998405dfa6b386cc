import { redactUrl } from '../../services/postgres/connection.ts';
import { ensureServices, type Services } from '../../services/services.ts';
import type { CommandContext } from '../program.ts';
import { table } from '../render/text.ts';
import type { Terminal } from '../terminal.ts';

/** `toolsample up`: starts or adopts the services and says where they are. */
export async function up({ terminal, home, json }: CommandContext): Promise<void> {
  const services = await ensureServices({ home, log: (message) => terminal.note(message) });
  const { postgres, temporal, folder } = services;
  if (json) {
    const shown = {
      home: folder.home,
      postgres: {
        how: postgres.how,
        url: redactUrl(postgres.url),
        milliseconds: postgres.milliseconds,
      },
      temporal: {
        how: temporal.how,
        address: temporal.address,
        namespace: temporal.namespace,
        uiUrl: temporal.uiUrl,
        taskQueue: temporal.taskQueue,
        milliseconds: temporal.milliseconds,
      },
    };
    terminal.print(JSON.stringify(shown, null, 2));
    return;
  }
  for (const line of serviceLines(services, terminal)) terminal.print(line);
}

const HOW = {
  external: 'given by address',
  adopted: 'running already',
  started: 'started',
} as const;

/** Both services in a table: where, and how long it took. */
export function serviceLines(
  { postgres, temporal }: Services,
  { paint }: Pick<Terminal, 'paint'>,
): string[] {
  return [
    ...table(
      ['service', 'address', 'state', 'took'],
      [
        ['Postgres', redactUrl(postgres.url), HOW[postgres.how], seconds(postgres.milliseconds)],
        ['Temporal', temporal.address, HOW[temporal.how], seconds(temporal.milliseconds)],
      ],
      { paint, left: [0, 1, 2] },
    ),
    ...(temporal.uiUrl === null ? [] : [`Temporal UI  ${temporal.uiUrl}`]),
  ];
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
