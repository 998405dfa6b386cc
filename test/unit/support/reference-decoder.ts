import type { Weights } from '../../../policy/models/initial-weights.ts';
import { layerNames, type ModelTraits } from '../../../policy/models/model-traits.ts';

/** A Llama forward pass in plain double-precision loops, written from the architecture's definition: slow, and easy to trust. */
export function referenceLogits(
  traits: ModelTraits,
  weights: Weights,
  ids: readonly number[],
): number[][] {
  const { hidden, heads, kvHeads, headDim } = traits;
  const tensor = (name: string): Float32Array => weights.get(name)!.data;
  const project = (x: readonly number[], name: string): number[] => multiply(tensor(name), x);
  const norm = (x: readonly number[], name: string): number[] => {
    const scale = 1 / Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / hidden + traits.rmsEps);
    return x.map((v, i) => v * scale * tensor(name)[i]!);
  };
  const embedding = tensor('model.embed_tokens.weight');
  let states = ids.map((id) => Array.from(embedding.subarray(id * hidden, (id + 1) * hidden)));
  for (let layer = 0; layer < traits.layers; layer++) {
    const names = layerNames(layer);
    const normed = states.map((x) => norm(x, names.inputNorm));
    const queries = normed.map((x, t) => rotate(project(x, names.query), t, traits));
    const keys = normed.map((x, t) => rotate(project(x, names.key), t, traits));
    const values = normed.map((x) => project(x, names.value));
    states = states.map((x, t) => {
      const attended: number[] = [];
      for (let head = 0; head < heads; head++) {
        const shared = Math.floor(head / (heads / kvHeads)) * headDim;
        const query = queries[t]!.slice(head * headDim, (head + 1) * headDim);
        const scores = keys
          .slice(0, t + 1)
          .map((key) => dot(query, key.slice(shared, shared + headDim)) / Math.sqrt(headDim));
        const weightsOfPast = softmax(scores);
        for (let i = 0; i < headDim; i++) {
          attended.push(weightsOfPast.reduce((sum, w, s) => sum + w * values[s]![shared + i]!, 0));
        }
      }
      const after = plus(x, project(attended, names.attentionOutput));
      const inner = norm(after, names.postNorm);
      const gate = project(inner, names.gate);
      const up = project(inner, names.up);
      const gated = gate.map((g, i) => (g / (1 + Math.exp(-g))) * up[i]!);
      return plus(after, project(gated, names.down));
    });
  }
  const head = traits.tied ? embedding : tensor('lm_head.weight');
  return states.map((x) => multiply(head, norm(x, 'model.norm.weight')));
}

/** log softmax(logits / temperature)[id]. */
export function referenceLogprob(logits: readonly number[], id: number, temperature = 1): number {
  const scaled = logits.map((x) => x / temperature);
  const top = Math.max(...scaled);
  const sum = scaled.reduce((total, x) => total + Math.exp(x - top), 0);
  return scaled[id]! - top - Math.log(sum);
}

function multiply(matrix: Float32Array, x: readonly number[]): number[] {
  return Array.from({ length: matrix.length / x.length }, (_, row) =>
    x.reduce((sum, v, i) => sum + v * matrix[row * x.length + i]!, 0),
  );
}

function rotate(x: readonly number[], position: number, traits: ModelTraits): number[] {
  const half = traits.headDim / 2;
  return x.map((value, i) => {
    const within = i % traits.headDim;
    const angle = position * traits.ropeTheta ** ((-2 * (within % half)) / traits.headDim);
    const partner = within < half ? -x[i + half]! : x[i - half]!;
    return value * Math.cos(angle) + partner * Math.sin(angle);
  });
}

function softmax(scores: readonly number[]): number[] {
  const top = Math.max(...scores);
  const exps = scores.map((s) => Math.exp(s - top));
  const sum = exps.reduce((a, b) => a + b, 0);
  return exps.map((e) => e / sum);
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, v, i) => sum + v * b[i]!, 0);
}

function plus(a: readonly number[], b: readonly number[]): number[] {
  return a.map((v, i) => v + b[i]!);
}
