import { Tensor as Value } from 'onnxruntime-node';
import { commonParts } from '../../../policy/generation/graph-interface.ts';
import { createGraph, input, integers, output } from '../../../policy/graph/graph.ts';
import { floatData, floats, onCpu, openSession } from '../../../policy/graph/session.ts';
import { foldMask, groupedAttention } from '../../../policy/models/attention.ts';
import type { Weights } from '../../../policy/models/initial-weights.ts';
import {
  decoderHidden,
  headWeight,
  linear,
  ropeTable,
  type DecoderParts,
} from '../../../policy/models/decoder.ts';
import type { ModelTraits } from '../../../policy/models/model-traits.ts';

/**
 * Logits [rows, length, vocab] of sequences padded on the right with id 0, in one pass. The product never computes them all:
 * training reads off single log-probabilities, generation the last position's distribution.
 */
export async function paddedLogits(
  traits: ModelTraits,
  weights: Weights,
  sequences: readonly (readonly number[])[],
): Promise<Float32Array> {
  const graph = createGraph();
  const mask = foldMask(input(graph, 'mask', 'float32', ['T', 'T']), traits.heads / traits.kvHeads);
  const parts: DecoderParts = {
    ...commonParts(graph, traits, 'fed'),
    positions: integers(graph, [0]),
    attend: (q, k, v) => groupedAttention(q, k, v, mask),
  };
  const hidden = decoderHidden(parts, input(graph, 'ids', 'int32', ['B', 'T']));
  output(linear(hidden, headWeight(parts)), 'logits');
  const length = Math.max(...sequences.map((ids) => ids.length));
  const ids = new Int32Array(sequences.length * length);
  sequences.forEach((sequence, row) => ids.set(sequence, row * length));
  const causal = new Float32Array(length * length);
  for (let t = 0; t < length; t++) causal.fill(-1e9, t * length + t + 1, (t + 1) * length);
  const { cos, sin } = ropeTable(traits, length);
  const half = traits.headDim / 2;
  const session = await openSession(graph, onCpu(2));
  const results = await session.run(
    {
      ...Object.fromEntries([...weights].map(([name, t]) => [name, floats(t.data, t.dims)])),
      ids: new Value('int32', ids, [sequences.length, length]),
      mask: floats(causal, [length, length]),
      cos: floats(cos, [length, half]),
      sin: floats(sin, [length, half]),
    },
    ['logits'],
  );
  await session.release();
  return floatData(results, 'logits');
}
