import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const PROGRAM = fileURLToPath(new URL('../bin/toolsample.js', import.meta.url));

/** `toolsample serve` in a process of its own. */
export interface ServedPolicy {
  /** `http://127.0.0.1:PORT/v1` */
  readonly address: string;
  /** As SIGTERM does: what is under way is finished. */
  readonly stop: () => Promise<void>;
}

/** Starts a server on a free port. @param args of `serve`. @throws Error when it ends before it serves */
export async function startServing(args: readonly string[]): Promise<ServedPolicy> {
  const child = spawn(process.execPath, [PROGRAM, 'serve', '--json', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.done === true) throw new Error('toolsample serve ended before it served');
  const { address } = JSON.parse(first.value) as { address: string };
  return {
    address,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
