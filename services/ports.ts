import { createServer, connect } from 'node:net';

import { hashSeed } from '../contracts/hash.ts';

/** Below the ports that systems hand out to outgoing connections, above the well-known ones. */
const FIRST_PORT = 20_000;
const PORTS = 10_000;

/** Why no server could listen there now; null when one could. */
export function listenProblem(host: string, port: number): Promise<Error | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen({ port, host, exclusive: true }, () => {
      server.close(() => {
        resolve(null);
      });
    });
  });
}

/** Whether a server could listen on this port of 127.0.0.1 now. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await listenProblem('127.0.0.1', port)) === null;
}

/**
 * A free port of 127.0.0.1 between 20000 and 29999. The order in which ports are tried depends on `key` alone: a data
 * folder tends to get the same ones again, and two folders seldom want the same.
 * @param taken ports that are chosen already but not yet listened on.
 */
export async function freePort(key: string, taken: ReadonlySet<number>): Promise<number> {
  for (let attempt = 0; attempt < PORTS; attempt++) {
    const port = FIRST_PORT + (hashSeed(key, attempt) % PORTS);
    if (!taken.has(port) && (await isPortFree(port))) return port;
  }
  throw new Error('no free port between 20000 and 29999 on 127.0.0.1');
}

/** Whether anything accepts TCP connections there. */
export function accepts(host: string, port: number, milliseconds: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(milliseconds, () => {
      finish(false);
    });
    socket.once('connect', () => {
      finish(true);
    });
    socket.once('error', () => {
      finish(false);
    });
  });
}
