import { createGraph, input, output, type Graph } from '../graph/graph.ts';
import { gemm, mul } from '../graph/operations.ts';
import { floats, floatScalar, onCpu, openSession, type Feeds } from '../graph/session.ts';
import type { Weights, WeightTensor } from './initial-weights.ts';
import { elementCount, tensorSpecs, type ModelTraits } from './model-traits.ts';
import { loraNames } from './lora.ts';

/** Works adapters into weights, for export and for rollouts: the same bytes for both. */
export interface AdapterMerger {
  /** W + scale·B·A, in new memory or `into`; a tensor that has no adapter is returned as it is. */
  readonly merge: (
    name: string,
    weight: WeightTensor,
    into?: Float32Array | null,
  ) => Promise<WeightTensor>;
  readonly close: () => Promise<void>;
}

/** Feeds `weight` [out, in], `a` [rank, in], `b` [out, rank], `scale` []; fetches `merged` = weight + scale·b·a. */
function buildMergeGraph(): Graph {
  const graph = createGraph();
  const weight = input(graph, 'weight', 'float32', ['out', 'in']);
  const a = input(graph, 'a', 'float32', ['rank', 'in']);
  const b = input(graph, 'b', 'float32', ['out', 'rank']);
  output(gemm(mul(b, input(graph, 'scale', 'float32', [])), a, {}, weight), 'merged');
  return graph;
}

/** Always on the CPU: both files and the engine merge, and have to agree. @param scale alpha / rank. @param threads of ONNX Runtime; 0: all cores. */
export async function openAdapterMerger(
  adapters: Weights,
  scale: number,
  threads: number,
): Promise<AdapterMerger> {
  const session = await openSession(buildMergeGraph(), onCpu(threads));
  return {
    merge: async (name, weight, into) => {
      const names = loraNames(name);
      const [a, b] = [adapters.get(names.a), adapters.get(names.b)];
      if (a === undefined || b === undefined) return weight;
      const data = into ?? new Float32Array(elementCount(weight.dims));
      await session.run(
        { weight: feed(weight), a: feed(a), b: feed(b), scale: floatScalar(scale) },
        { merged: floats(data, weight.dims) },
      );
      return { dims: weight.dims, data };
    },
    close: () => session.release(),
  };
}

/**
 * The base with adapters worked into its projections; what has no adapter is shared, not copied.
 * @param scale alpha / rank.
 * @param spare weights that nobody uses any more: their memory is taken where it fits, which is quicker than fresh memory.
 */
export async function mergeAdapters(
  traits: ModelTraits,
  base: Weights,
  adapters: Weights,
  scale: number,
  threads: number,
  spare?: Weights,
): Promise<Weights> {
  const merger = await openAdapterMerger(adapters, scale, threads);
  try {
    const merged = new Map<string, WeightTensor>();
    for (const { name } of tensorSpecs(traits)) {
      const weight = base.get(name);
      if (weight === undefined) throw new Error(`no weights for ${name}`);
      merged.set(name, await merger.merge(name, weight, spareArray(spare?.get(name), weight)));
    }
    return merged;
  } finally {
    await merger.close();
  }
}

function feed({ data, dims }: WeightTensor): Feeds[string] {
  return floats(data, dims);
}

/** The memory of a tensor, unless it is the base's own or of another size. */
function spareArray(spare: WeightTensor | undefined, base: WeightTensor): Float32Array | null {
  if (spare === undefined || spare.data.buffer === base.data.buffer) return null;
  return spare.data.length === base.data.length ? spare.data : null;
}
