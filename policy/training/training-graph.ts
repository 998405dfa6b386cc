import type { TrainableOptions } from '../../contracts/policy.ts';
import { createGraph, input, output, type Graph, type Tensor } from '../graph/graph.ts';
import { reshape } from '../graph/operations.ts';
import { checkpointed } from '../autodiff/checkpointed.ts';
import { gradients } from '../autodiff/gradients.ts';
import { blockedAttention, foldMask, groupedAttention, queryBlocks } from '../models/attention.ts';
import { headWeight, linear, decoderHidden, type DecoderParts } from '../models/decoder.ts';
import { tensorSpecs, type ModelTraits } from '../models/model-traits.ts';
import { adaptedLinear, loraNames, loraSpecs } from '../models/lora.ts';
import { tokenLogprobs, type TokenLogprobOptions, type TokenLogprobs } from './token-logprobs.ts';

/** What a policy's training graphs are built for. */
export interface TrainingModel {
  readonly traits: ModelTraits;
  /** Null: all weights train. Else only the adapters do. */
  readonly lora: { readonly rank: number; readonly alpha: number } | null;
}

/** A policy of these traits, of which that part trains. */
export function trainingModel(
  traits: ModelTraits,
  { mode, loraRank, loraAlpha }: TrainableOptions,
): TrainingModel {
  return { traits, lora: mode === 'lora' ? { rank: loraRank, alpha: loraAlpha } : null };
}

/** The tensors that train, in a fixed order. */
export function trainableSpecs(
  model: TrainingModel,
): { readonly name: string; readonly dims: readonly number[] }[] {
  return model.lora === null ? tensorSpecs(model.traits) : loraSpecs(model.traits, model.lora.rank);
}

/** Name of the feed with the gradient summed so far, and of the fetch with the new sum. */
export const accumulatorName = (tensor: string): string => `sum:${tensor}`;
export const gradientName = (tensor: string): string => `grad:${tensor}`;

/** How the layers are computed; the result is the same but for rounding. */
export interface LayerForm {
  /** So many layers, from the first on, are computed again in the backward pass instead of kept. Changes no result at all. */
  readonly recomputedLayers: number;
  /** Parts in which attention is computed, see {@link queryBlocks}; 1: whole. */
  readonly attentionParts: number;
}

/** All is kept, and nothing divided. */
export const PLAIN_FORM: LayerForm = { recomputedLayers: 0, attentionParts: 1 };

export interface PolicyGraphOptions extends TokenLogprobOptions, LayerForm {}

/** A graph from token ids to the log-probabilities of target tokens; a loss is built on top. */
export interface PolicyGraph extends TokenLogprobs {
  readonly graph: Graph;
  readonly trained: readonly Tensor[];
  /** A further feed with one number per predicted token, [R]. */
  readonly perToken: (name: string) => Tensor;
  /** A further feed with one number. */
  readonly number: (name: string) => Tensor;
}

/**
 * Feeds: every weight by its name (adapters too), `ids` int32 [B, T] padded on the right, `positions` int64 [B, T], `rows` int64 [R]
 * (flattened indices of what predicts, each once), `targets` int32 [R], `inverse_temperature` [], `cos` and `sin`
 * [≥ T, headDim / 2], `mask` [1 or B, T, T] added to attention scores.
 * One graph serves every B, T and R. Padding needs no mask of its own: it lies behind everything that looks.
 */
export function buildPolicyGraph(
  { traits, lora }: TrainingModel,
  options: PolicyGraphOptions,
): PolicyGraph {
  const graph = createGraph();
  const weights = new Map<string, Tensor>();
  const declare = (spec: { name: string; dims: readonly number[] }): Tensor => {
    const tensor = input(graph, spec.name, 'float32', spec.dims);
    weights.set(spec.name, tensor);
    return tensor;
  };
  const base = tensorSpecs(traits).map(declare);
  const adapters = lora === null ? [] : loraSpecs(traits, lora.rank).map(declare);
  const weight = (name: string): Tensor => {
    const tensor = weights.get(name);
    if (tensor === undefined) throw new Error(`the policy has no tensor ${name}`);
    return tensor;
  };

  const ids = input(graph, 'ids', 'int32', ['B', 'T']);
  const rows = input(graph, 'rows', 'int64', ['R']);
  const targets = input(graph, 'targets', 'int32', ['R']);
  const half = traits.headDim / 2;
  const mask = input(graph, 'mask', 'float32', ['masks', 'T', 'T']);
  // One mask or one per row: either way it broadcasts, which the shape 1 stands for.
  const perHead = reshape(mask, [0, 1, 0, -1], [1, 1, 'T', 'T']);
  const group = traits.heads / traits.kvHeads;
  const parts: DecoderParts = {
    traits,
    weight,
    project: (x, name) => {
      if (lora === null) return linear(x, weight(name));
      const { a, b } = loraNames(name);
      return adaptedLinear(x, weight(name), weight(a), weight(b), lora.alpha / lora.rank);
    },
    positions: input(graph, 'positions', 'int64', ['B', 'T']),
    cos: input(graph, 'cos', 'float32', ['angles', half]),
    sin: input(graph, 'sin', 'float32', ['angles', half]),
    attend: attention(perHead, group, options.attentionParts),
    wrapLayer: (x, layer, forward) =>
      layer < options.recomputedLayers ? checkpointed(x, forward) : forward(x),
  };
  const number = (name: string): Tensor => input(graph, name, 'float32', []);
  const hidden = decoderHidden(parts, ids, rows);
  const temperature = number('inverse_temperature');
  const result = tokenLogprobs(hidden, headWeight(parts), targets, temperature, options);
  return {
    ...result,
    graph,
    trained: lora === null ? base : adapters,
    perToken: (name) => input(graph, name, 'float32', ['R']),
    number,
  };
}

/** How queries attend in training: whole, or in parts, whose ends are then the feed `part_ends` int64 [parts − 1]. */
function attention(mask: Tensor, group: number, parts: number): DecoderParts['attend'] {
  if (parts === 1) {
    const folded = foldMask(mask, group);
    return (q, k, v) => groupedAttention(q, k, v, folded);
  }
  const ends = input(mask.graph, 'part_ends', 'int64', [parts - 1]);
  const blocks = queryBlocks(mask, group, ends, parts);
  return (q, k, v) => blockedAttention(q, k, v, blocks);
}

/** Adds the backward pass: per trained tensor a feed `sum:<name>` and a fetch `grad:<name>` = sum + d loss. */
export function addGradients(policy: PolicyGraph, loss: Tensor): void {
  const sums = new Map(
    policy.trained.map((tensor) => [
      tensor.name,
      input(policy.graph, accumulatorName(tensor.name), 'float32', tensor.shape),
    ]),
  );
  gradients(loss, policy.trained, sums).forEach((gradient, i) => {
    output(gradient, gradientName(policy.trained[i]?.name ?? ''));
  });
}

/** Forward only, attention in so many parts: fetches `logprobs` [R]. */
export function buildLogprobGraph(model: TrainingModel, attentionParts = 1): Graph {
  const policy = buildPolicyGraph(model, {
    entropy: false,
    gradient: false,
    ...PLAIN_FORM,
    attentionParts,
  });
  output(policy.logprobs, 'logprobs');
  return policy.graph;
}
