import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DeviceChoice, Precision } from '../contracts/config.ts';
import { createDecoder } from '../policy/engine/create-decoder.ts';
import type { LoadablePolicy } from '../policy/engine/policy-files.ts';
import { readPolicyText } from '../policy/text/policy-text.ts';
import { isLoopback, listen } from '../services/http-server.ts';
import { isPortFree } from '../services/ports.ts';
import { servingApp } from './app.ts';
import { createCompleter } from './completer.ts';
import { LAST_BYTES_MS } from './event-stream.ts';
import { createGate } from './gate.ts';

/** How a policy is served. */
export interface ServeOptions {
  /** What it is called. */
  readonly model: string;
  /** Whether requests have to call it so. */
  readonly strictModel: boolean;
  readonly host: string;
  /** Default: 8000, or a free one where that is taken. */
  readonly port?: number | undefined;
  /** The bearer token that requests have to bring; null: none. */
  readonly token: string | null;
  /** Completions under way at once. */
  readonly rows: number;
  /** Completions that may wait. */
  readonly queue: number;
  /** Tokens of a completion at most. */
  readonly maxCompletionLength: number;
  /** Seconds of a request at most; two million at most, for timers know no later time. */
  readonly seconds: number;
  /** Threads of ONNX Runtime; 0: all cores. */
  readonly threads: number;
  readonly device: DeviceChoice;
  readonly precision: Precision;
  /** Receives what nobody foresaw. */
  readonly log: (message: string) => void;
}

/** A policy that is being served. */
export interface PolicyServer {
  /** `http://127.0.0.1:8000/v1` */
  readonly address: string;
  /** Takes no requests any more, and ends when those under way have. */
  stop(): Promise<void>;
  /** Ends at once; what is under way is cut off. */
  close(): Promise<void>;
}

const USUAL_PORT = 8000;
const IDLE_CHECK_MS = 20;

/**
 * Serves a policy over OpenAI's interface; it is loaded when this returns.
 * @throws ToolsampleError `checkpoint`, `tokenizer` when the policy cannot be used, `config` when nothing can listen there
 */
export async function servePolicy(
  policy: LoadablePolicy,
  options: ServeOptions,
): Promise<PolicyServer> {
  const { host, token, rows, queue, seconds, maxCompletionLength } = options;
  const { threads, device, precision } = options;
  const text = await readPolicyText(policy.files.base);
  const decoder = createDecoder({ ...policy, rows, threads, device, precision });
  try {
    const decoderLimits = await decoder.ready();
    const gate = createGate();
    const app = servingApp({
      ...options,
      ownHostOnly: token === null && isLoopback(host),
      text,
      completer: createCompleter({ decoder, text, limits: decoderLimits, rows, queue, seconds }),
      limits: { rows, maxCompletionLength },
      gate,
    });
    const usual = host.includes(':') || (await isPortFree(USUAL_PORT)) ? USUAL_PORT : 0;
    const server = await listen(app.fetch, { host, port: options.port ?? usual });
    const { port } = server.address() as AddressInfo;
    return {
      address: `http://${host.includes(':') ? `[${host}]` : host}:${port}/v1`,
      stop: async () => {
        await gate.close();
        await endServer(server, LAST_BYTES_MS);
        await decoder.close();
      },
      close: async () => {
        await endServer(server, 0);
        await decoder.close();
      },
    };
  } catch (error) {
    await decoder.close();
    throw error;
  }
}

/** Takes no connections any more, and closes those that are there: idle ones at once, the others after a while. */
async function endServer(server: Server, patienceMs: number): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  const idle = setInterval(() => {
    server.closeIdleConnections();
  }, IDLE_CHECK_MS);
  const patience = setTimeout(() => {
    server.closeAllConnections();
  }, patienceMs);
  await closed;
  clearInterval(idle);
  clearTimeout(patience);
}
