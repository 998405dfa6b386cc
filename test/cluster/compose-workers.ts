import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';

const COMPOSE_FILE = new URL('../../compose.yaml', import.meta.url);

const composeSchema = z.object({
  services: z.record(
    z.string(),
    z.object({
      image: z.string(),
      command: z.union([z.string(), z.array(z.string())]).optional(),
      environment: z.record(z.string(), z.string()).default({}),
      deploy: z.object({ replicas: z.int() }).optional(),
      depends_on: z.unknown().optional(),
    }),
  ),
});

/** `compose.yaml` as Docker reads it, anchors resolved. */
export async function readComposeFile(): Promise<z.infer<typeof composeSchema>> {
  return composeSchema.parse(parse(await readFile(COMPOSE_FILE, 'utf8'), { merge: true }));
}

/** A service of the compose file that is a worker of ours. */
export interface ComposeWorker {
  readonly name: string;
  readonly replicas: number;
  /** Arguments of `toolsample`. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

export async function composeWorkers(): Promise<ComposeWorker[]> {
  const { services } = await readComposeFile();
  return Object.entries(services).flatMap(([name, { command, environment, deploy }]) =>
    typeof command === 'string' && command.startsWith('worker ')
      ? [{ name, replicas: deploy?.replicas ?? 1, command: command.split(' '), environment }]
      : [],
  );
}
