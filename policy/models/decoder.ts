import type { Tensor } from '../graph/graph.ts';
import {
  add,
  dimension,
  gather,
  matMul,
  mul,
  reshape,
  rmsNorm,
  rotary,
  selectRows,
  silu,
  transpose,
} from '../graph/operations.ts';
import type { Dimension } from '../graph/onnx-format.ts';
import { rotaryFrequencies } from './rope-scaling.ts';
import { EMBEDDING, FINAL_NORM, headName, layerNames, type ModelTraits } from './model-traits.ts';

/**
 * What a forward pass is made of besides its architecture. Training, prefill and decode differ only here:
 * where weights come from, whether a projection has an adapter, and what a query may look at.
 */
export interface DecoderParts {
  readonly traits: ModelTraits;
  /** A tensor of the policy by its Hugging Face name. */
  readonly weight: (name: string) => Tensor;
  /** x [..., in] through the projection of that name → [..., out]. */
  readonly project: (x: Tensor, name: string) => Tensor;
  /** Absolute positions of the tokens: [B, T], or [1] for the first of consecutive ones. */
  readonly positions: Tensor;
  /** cos and sin of {@link ropeTable}: [positions, headDim / 2]. */
  readonly cos: Tensor;
  readonly sin: Tensor;
  /** Rows have one token each: T is 1, and what is only put in another order stays as it is. */
  readonly single?: boolean;
  /** q [B, heads, T, hd] and this pass's k, v [B, kvHeads, T, hd], rotated → [B, heads, T, hd]. */
  readonly attend: (q: Tensor, k: Tensor, v: Tensor, layer: number) => Tensor;
  /** How a layer is put into the graph; left out: as it is. */
  readonly wrapLayer?: (x: Tensor, layer: number, forward: (x: Tensor) => Tensor) => Tensor;
}

/** x · weightᵀ, the plain {@link DecoderParts.project}. */
export function linear(x: Tensor, weight: Tensor): Tensor {
  return matMul(x, weight, { transB: true });
}

/** cos and sin of position · {@link rotaryFrequencies} for positions 0 … length − 1, each [length, headDim / 2]. */
export function ropeTable(
  traits: ModelTraits,
  length: number,
): { cos: Float32Array; sin: Float32Array } {
  const frequencies = rotaryFrequencies(traits);
  const half = frequencies.length;
  const cos = new Float32Array(length * half);
  const sin = new Float32Array(length * half);
  for (let position = 0; position < length; position++) {
    frequencies.forEach((frequency, i) => {
      cos[position * half + i] = Math.cos(position * frequency);
      sin[position * half + i] = Math.sin(position * frequency);
    });
  }
  return { cos, sin };
}

/** [B, T, heads·hd] → [B, heads, T, hd]. */
function splitHeads(x: Tensor, heads: number, width: number, single: boolean): Tensor {
  const shape = [dimension(x, 0), dimension(x, 1), heads, width];
  if (single) return reshape(x, [0, heads, 1, width], [dimension(x, 0), heads, 1, width]);
  return transpose(reshape(x, [0, 0, heads, width], shape), [0, 2, 1, 3]);
}

/** [B, heads, T, hd] → [B, T, heads·hd]. */
function mergeHeads(x: Tensor, single: boolean): Tensor {
  const width = Number(dimension(x, 1)) * Number(dimension(x, 3));
  if (single) return reshape(x, [0, 1, width], [dimension(x, 0), dimension(x, 2), width]);
  return reshape(
    transpose(x, [0, 2, 1, 3]),
    [0, 0, width],
    [dimension(x, 0), dimension(x, 2), width],
  );
}

/** One decoder layer. With `rows`, only these rows of the flattened [B·T] leave it, as [R, hidden]. */
function decoderLayer(parts: DecoderParts, x: Tensor, layer: number, rows?: Tensor): Tensor {
  const { traits, weight, project, positions, cos, sin, single = false } = parts;
  const names = layerNames(layer);
  const normed = rmsNorm(x, weight(names.inputNorm), traits.rmsEps);
  const heads = (name: string, bias: string, count: number): Tensor => {
    const plain = project(normed, name);
    const whole = traits.qkvBias === true ? add(plain, weight(bias)) : plain;
    return splitHeads(whole, count, traits.headDim, single);
  };
  const rotated = (x: Tensor, norm: string): Tensor => {
    const own = traits.qkNorm === true ? rmsNorm(x, weight(norm), traits.rmsEps) : x;
    return rotary(own, positions, cos, sin);
  };
  const q = rotated(heads(names.query, names.queryBias, traits.heads), names.queryNorm);
  const k = rotated(heads(names.key, names.keyBias, traits.kvHeads), names.keyNorm);
  const v = heads(names.value, names.valueBias, traits.kvHeads);
  const attended = mergeHeads(parts.attend(q, k, v, layer), single);
  const chosen = (whole: Tensor): Tensor =>
    rows === undefined ? whole : selectRows(flatten(whole), rows);
  const after = add(chosen(x), project(chosen(attended), names.attentionOutput));
  const inner = rmsNorm(after, weight(names.postNorm), traits.rmsEps);
  const gated = mul(silu(project(inner, names.gate)), project(inner, names.up));
  return add(after, project(gated, names.down));
}

function flatten(x: Tensor): Tensor {
  const width = Number(dimension(x, -1));
  const shape: Dimension[] = [x.shape.slice(0, -1).join('*'), width];
  return reshape(x, [-1, width], shape);
}

/**
 * Token ids [B, T] to hidden states after the last norm: [B, T, hidden], or [R, hidden] at `rows` (indices b·T + t).
 * Behind its attention, the last layer is computed at `rows` only.
 */
export function decoderHidden(parts: DecoderParts, ids: Tensor, rows?: Tensor): Tensor {
  const { traits, weight } = parts;
  const wrap = parts.wrapLayer ?? ((input, _layer, forward) => forward(input));
  let x = gather(weight(EMBEDDING), ids);
  for (let layer = 0; layer < traits.layers; layer++) {
    const kept = layer === traits.layers - 1 ? rows : undefined;
    x = wrap(x, layer, (input) => decoderLayer(parts, input, layer, kept));
  }
  return rmsNorm(x, weight(FINAL_NORM), traits.rmsEps);
}

/** The output layer's weight [vocab, hidden]. */
export function headWeight(parts: Pick<DecoderParts, 'traits' | 'weight'>): Tensor {
  return parts.weight(headName(parts.traits));
}
