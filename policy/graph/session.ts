import { InferenceSession, Tensor as Value } from 'onnxruntime-node';

export type Feeds = { readonly [name: string]: Value };

/** Data of external initializers by name. */
export type SessionData = ReadonlyMap<string, Float32Array>;

/** A loaded graph. `run` blocks the thread although it returns a promise. */
export interface Session {
  readonly run: (feeds: Feeds, fetches: readonly string[] | Feeds) => Promise<Feeds>;
  readonly release: () => Promise<void>;
}

/**
 * Loads a graph. Without memory patterns (they nearly double the peak of training graphs), sequential (parallel execution is
 * slower), and with threads that sleep while they wait: spinning makes a busy machine two to five times slower.
 */
export async function openSession(
  model: Uint8Array,
  threads: number,
  data: SessionData = new Map(),
): Promise<Session> {
  const session = await InferenceSession.create(model, {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    enableMemPattern: false,
    logSeverityLevel: 3,
    externalData: [...data].map(([path, { buffer, byteOffset, byteLength }]) => ({
      path,
      data: new Uint8Array(buffer, byteOffset, byteLength),
    })),
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  return {
    run: (feeds, fetches) => session.run(feeds, fetches),
    release: () => session.release(),
  };
}

/** Wraps an array, without a copy. */
export function floats(data: Float32Array, dims: readonly number[]): Value {
  return new Value('float32', data, dims);
}

/** A number as a feed of shape []. */
export function floatScalar(value: number): Value {
  return new Value('float32', Float32Array.of(value), []);
}

/** A fetched scalar or the float array of a fetched tensor. */
export function floatData(results: Feeds, name: string): Float32Array {
  const data = results[name]?.data;
  if (!(data instanceof Float32Array)) throw new Error(`the graph returned no floats as ${name}`);
  return data;
}
