import { hashSeed, seededRandom } from '../contracts/hash.ts';
import {
  createGraph,
  emitOne,
  initializer,
  input,
  integers,
  output,
} from '../policy/graph/graph.ts';
import { gather } from '../policy/graph/operations.ts';
import { floats, onCpu, openSession } from '../policy/graph/session.ts';

/** Rows and columns of the matrices. */
export const ROOFLINE_SIZE = 2048;
const FLOPS = 2 * ROOFLINE_SIZE ** 3;
/** Products of one measurement, of which the fastest counts. */
const PRODUCTS = 3;

/** The fastest that this machine multiplies matrices through ONNX Runtime, in this process. */
export interface Roofline {
  /** The best of a few products now, in GFLOP/s. */
  readonly measure: () => Promise<number>;
  /** All measurements so far. */
  readonly measured: readonly number[];
  readonly close: () => Promise<void>;
}

/**
 * A 2048³ fp32 MatMul with a right side that ONNX Runtime packs beforehand, its fastest form. Only a row of the product is
 * fetched: copying the rest out is no arithmetic. All memory is touched before the first measurement.
 *
 * @param threads of ONNX Runtime; 0: all cores
 */
export async function openRoofline(threads: number): Promise<Roofline> {
  const dims = [ROOFLINE_SIZE, ROOFLINE_SIZE];
  const graph = createGraph();
  const left = input(graph, 'left', 'float32', dims);
  const right = initializer(graph, 'right', 'float32', dims, numbers('right'));
  const product = emitOne(graph, 'MatMul', [left, right], { type: 'float32', shape: dims });
  output(gather(product, integers(graph, [0])), 'row');
  const session = await openSession(graph, onCpu(threads));
  const feeds = { left: floats(numbers('left'), dims) };
  await session.run(feeds, ['row']);

  const measured: number[] = [];
  return {
    measured,
    measure: async () => {
      let best = 0;
      for (let i = 0; i < PRODUCTS; i++) {
        const started = performance.now();
        await session.run(feeds, ['row']);
        best = Math.max(best, FLOPS / 1e6 / (performance.now() - started));
      }
      measured.push(best);
      return best;
    },
    close: async () => session.release(),
  };
}

function numbers(name: string): Float32Array {
  const random = seededRandom(hashSeed('roofline', name));
  return Float32Array.from({ length: ROOFLINE_SIZE ** 2 }, () => random() - 0.5);
}
