import type { Server } from 'node:http';
import { serve } from '@hono/node-server';
import { ToolsampleError } from '../contracts/errors.ts';

/** Where a server listens. */
export interface ListenPlace {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

/** Names that a program on this machine, or one behind an SSH tunnel, has for us. Any port: a tunnel has its own. */
const OWN_HOST = /^(127(\.\d{1,3}){3}|localhost|\[::1\])(:\d{1,5})?$/i;

/**
 * Whether a request's `Host` means this machine. A page of another site that has our address under its own name (DNS rebinding)
 * sends that name.
 */
export function isOwnHost(host: string | undefined): boolean {
  return OWN_HOST.test(host ?? '');
}

/**
 * Whether a browser sent a request for a page that is not of this machine. Such a page cannot read the answer, but what it asks for
 * is done all the same. Programs send neither header.
 *
 * @param origin the header `Origin`; `null` stands for a page that hides where it is from
 * @param fetchSite the header `Sec-Fetch-Site`
 */
export function isOfOtherSite(origin: string | undefined, fetchSite: string | undefined): boolean {
  if (fetchSite === 'cross-site') return true;
  return origin !== undefined && !(URL.canParse(origin) && isOwnHost(new URL(origin).host));
}

/** Whether only this machine reaches what listens there. */
export function isLoopback(host: string): boolean {
  return /^(127(\.\d{1,3}){3}|localhost|::1)$/i.test(host);
}

const ANY_PORT = 'leave out --port to have a free one';
const OWN_ADDRESS =
  'give --host an address of this machine, or leave it out for this machine alone';

/** What is wrong, and what to do; the flag of the trouble alone is named, for not every server has a host to choose. */
const PROBLEMS: {
  readonly [code: string]: (place: ListenPlace) => readonly [problem: string, hint: string];
} = {
  EADDRINUSE: ({ port }) => [`port ${port} is taken`, ANY_PORT],
  EACCES: ({ port }) => [`port ${port} may not be listened on`, ANY_PORT],
  EADDRNOTAVAIL: ({ host }) => [`this machine has no address ${host}`, OWN_ADDRESS],
  ENOTFOUND: ({ host }) => [`there is no host ${host}`, OWN_ADDRESS],
  EAI_AGAIN: ({ host }) => [`the host ${host} cannot be looked up`, OWN_ADDRESS],
};

/**
 * Answers HTTP requests.
 * @throws ToolsampleError `config` when nothing can listen there
 */
export async function listen(
  fetch: Parameters<typeof serve>[0]['fetch'],
  place: ListenPlace,
): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch, hostname: place.host, port: place.port }) as Server;
    server.once('listening', () => {
      // From now on a server's trouble is that of whoever asks, not of what goes on beside it.
      server.on('error', () => undefined);
      resolve(server);
    });
    server.once('error', (error: NodeJS.ErrnoException) => {
      const told = PROBLEMS[error.code ?? '']?.(place);
      if (told === undefined) return reject(error);
      const [problem, hint] = told;
      reject(new ToolsampleError('config', problem, { hint, cause: error }));
    });
  });
}
