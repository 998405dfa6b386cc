import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { DeviceChoice, Precision } from '../../contracts/config.ts';
import { ToolsampleError } from '../../contracts/errors.ts';
import type {
  DecodedToken,
  Decoder,
  DecodeListener,
  DecoderLimits,
} from '../../contracts/decoding.ts';
import type { BatchToken } from '../generation/batch-interface.ts';
import { BUDGET } from '../generation/prompt-groups.ts';
import { postDecoding, type FromDecoding } from './decode-port.ts';
import type { LoadablePolicy } from './policy-files.ts';
import { createThreadHost } from './thread-host.ts';
import { unpackError } from './transferred-error.ts';

export interface DecoderOptions extends LoadablePolicy {
  /** Completions under way at once. */
  readonly rows: number;
  /** Threads of ONNX Runtime; 0 (default): all cores. */
  readonly threads?: number;
  /** Default: `cpu`. */
  readonly device?: DeviceChoice;
  /** Default: `float32`. */
  readonly precision?: Precision;
}

/** The thread's call that goes on while there is something to decode. */
interface Session {
  readonly port: MessagePort;
  readonly ready: Promise<DecoderLimits>;
  /** When the call is over, however it ended. */
  readonly over: Promise<void>;
}

/** A request whose completions are not all over. */
interface OpenRequest {
  readonly listener: DecodeListener;
  readonly open: Set<number>;
}

/**
 * A decoder in a policy thread of its own, which starts when it is first needed. When the thread dies, all requests fail with a
 * ToolsampleError `service`, and the next one starts a new thread.
 */
export function createDecoder(options: DecoderOptions): Decoder {
  const { files: policy, trainable, rows, threads = 0 } = options;
  const { device = 'cpu', precision = 'float32' } = options;
  const budget = { ...BUDGET, rows };
  const host = createThreadHost({ threads, device });
  const requests = new Map<number, OpenRequest>();
  let lastKey = 0;
  let session: Session | null = null;

  const open = (): Session => {
    if (session !== null) return session;
    const { port1: port, port2 } = new MessageChannel();
    const call = host.call(
      'decode',
      { policy, trainable, budget, precision, port: port2 },
      { transfer: [port2] },
    );
    const ended = call.then(() => {
      throw new ToolsampleError('service', 'the policy thread has ended');
    });
    const loaded = new Promise<DecoderLimits>((resolve) => {
      port.on('message', (message: FromDecoding) => {
        if (message.kind === 'ready') resolve({ contextLength: message.contextLength });
        else if (message.kind === 'tokens') deliver(requests, message.tokens);
        else endFailed(requests, message.key, unpackError(message.error));
      });
    });
    const ready = Promise.race([loaded, ended]);
    // Each request hears of it by its listener.
    ready.catch(() => undefined);
    const over = ended.catch((error: unknown) => {
      if (session === opened) session = null;
      port.close();
      const failed = [...requests.values()];
      requests.clear();
      for (const { listener } of failed) listener.onFailure(error as Error);
    });
    const opened: Session = { port, ready, over };
    session = opened;
    return opened;
  };

  return {
    ready: async () => open().ready,
    decode: (request, listener) => {
      const { port } = open();
      const key = ++lastKey;
      const entry: OpenRequest = { listener, open: new Set(request.seeds.keys()) };
      requests.set(key, entry);
      postDecoding(port, { kind: 'add', key, request });
      return {
        stop: (index) => {
          if (!entry.open.delete(index)) return;
          if (entry.open.size === 0) requests.delete(key);
          postDecoding(port, { kind: 'stop', key, index });
        },
      };
    },
    close: async () => {
      // The thread ends by itself only once it is idle.
      if (session !== null) postDecoding(session.port, { kind: 'end' });
      await session?.over;
      await host.close();
    },
  };
}

/** A request that nothing follows of. */
function endFailed(requests: Map<number, OpenRequest>, key: number, error: Error): void {
  const failed = requests.get(key);
  requests.delete(key);
  failed?.listener.onFailure(error);
}

/** Hands tokens to those who wait for them; what was stopped meanwhile is dropped. */
function deliver(requests: Map<number, OpenRequest>, tokens: readonly BatchToken[]): void {
  const heard = new Map<OpenRequest, DecodedToken[]>();
  for (const { key, ...token } of tokens) {
    const request = requests.get(key);
    if (request?.open.has(token.index) !== true) continue;
    heard.set(request, [...(heard.get(request) ?? []), token]);
    if (token.finishReason === null) continue;
    request.open.delete(token.index);
    if (request.open.size === 0) requests.delete(key);
  }
  for (const [{ listener }, list] of heard) listener.onTokens(list);
}
