import { InferenceSession, Tensor as Value } from 'onnxruntime-node';
import type { Device } from '../../contracts/config.ts';
import type { Graph } from './graph.ts';
import { profiledFirstRun, type Placement } from './placement.ts';
import { serialize } from './serialize.ts';
import { webgpuForms } from './webgpu-forms.ts';

export type Feeds = { readonly [name: string]: Value };

/** Data of external initializers by name. */
export type SessionData = ReadonlyMap<string, ArrayBufferView>;

/** Where and how graphs are run. */
export interface Runtime {
  readonly device: Device;
  /** Threads of ONNX Runtime for what runs on the CPU; 0: all cores. */
  readonly threads: number;
  /** Is told, by a graph's name, how much of it ran on another device than the CPU: after its first run, once. */
  readonly placements?: Map<string, Placement>;
}

/** The CPU, with so many threads (0: all cores). */
export function onCpu(threads: number): Runtime {
  return { device: 'cpu', threads };
}

/** A loaded graph. `run` blocks the thread although it returns a promise. */
export interface Session {
  readonly run: (feeds: Feeds, fetches: readonly string[] | Feeds) => Promise<Feeds>;
  readonly release: () => Promise<void>;
}

interface SessionExtras {
  /** Names the graph in {@link Runtime.placements}. */
  readonly name?: string;
  readonly data?: SessionData;
}

/**
 * Loads a graph. Without memory patterns (they nearly double the peak of training graphs), sequential (parallel execution is
 * slower), and with threads that sleep while they wait: spinning makes a busy machine two to five times slower.
 * Feeds and fetches lie in the host's memory, whatever the device.
 */
export async function openSession(
  graph: Graph,
  { device, threads, placements }: Runtime,
  { name = 'graph', data = new Map() }: SessionExtras = {},
): Promise<Session> {
  const model = device === 'webgpu' ? serialize(graph, webgpuForms(graph)) : serialize(graph);
  const open = async (profile: Pick<InferenceSession.SessionOptions, 'enableProfiling'> = {}) =>
    InferenceSession.create(model, {
      executionProviders: [device],
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
      ...profile,
    });
  if (device !== 'cpu' && placements?.has(name) === false) {
    return profiledFirstRun(open, (placement) => {
      placements.set(name, placement);
    });
  }
  const session = await open();
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
