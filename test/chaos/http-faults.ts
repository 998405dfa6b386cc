import { once } from 'node:events';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What becomes of an answer; undefined: it passes as it is. */
export type HttpFault =
  | { readonly kind: 'status'; readonly status: number }
  /** One bit of the body turns. */
  | { readonly kind: 'corrupt' }
  /** The connection breaks after so many bytes of the body. */
  | { readonly kind: 'cut'; readonly after: number };

export interface HttpFaults {
  readonly port: number;
  /** Requests so far, as `GET /bucket/key`. */
  readonly requests: string[];
  /** What the next answers get, one each. */
  readonly faults: HttpFault[];
  close(): Promise<void>;
}

/** A proxy before a server that speaks HTTP: it hurts answers to requests that `isMeant`, in the order of `faults`. */
export async function startHttpFaults(
  port: number,
  isMeant: (request: IncomingMessage) => boolean = ({ method }) => method === 'GET',
): Promise<HttpFaults> {
  const requests: string[] = [];
  const faults: HttpFault[] = [];
  const server = createServer((near, answer) => {
    const path = near.url ?? '';
    requests.push(`${near.method} ${path.split('?', 1)[0]}`);
    const fault = isMeant(near) ? faults.shift() : undefined;
    if (fault?.kind === 'status') {
      near.resume();
      answer.writeHead(fault.status).end();
      return;
    }
    const { method, headers } = near;
    const far = request({ host: '127.0.0.1', port, path, method, headers }, (given) => {
      answer.writeHead(given.statusCode ?? 500, given.headers);
      let passed = 0;
      given.on('data', (bytes: Buffer) => {
        if (fault?.kind === 'corrupt' && passed === 0) bytes[0] = (bytes[0] ?? 0) ^ 1;
        const rest = fault?.kind === 'cut' ? fault.after - passed : bytes.length;
        passed += bytes.length;
        if (rest >= bytes.length) answer.write(bytes);
        else answer.write(bytes.subarray(0, Math.max(0, rest)), () => near.socket.destroy());
      });
      given.on('end', () => answer.end());
      given.on('error', () => near.socket.destroy());
    });
    far.on('error', () => near.socket.destroy());
    near.pipe(far);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    faults,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
