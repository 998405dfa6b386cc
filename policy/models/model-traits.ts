import type { RopeScaling } from './rope-scaling.ts';

/** What tells one policy from another, whatever its family (see families/). */
export interface ModelTraits {
  readonly hidden: number;
  readonly layers: number;
  /** Query heads. */
  readonly heads: number;
  /** Key and value heads; divides `heads`. */
  readonly kvHeads: number;
  readonly headDim: number;
  /** Width of the gated feed-forward layer. */
  readonly ffn: number;
  readonly vocab: number;
  readonly ropeTheta: number;
  /** Left out: none. */
  readonly ropeScaling?: RopeScaling;
  readonly rmsEps: number;
  /** The output layer is the embedding table. */
  readonly tied: boolean;
  /** Queries, keys and values have biases (Qwen2). Left out: they have none. */
  readonly qkvBias?: boolean;
  /** Each head's queries and keys are RMS-normalised before rotation, with weights that all heads share (Qwen3). */
  readonly qkNorm?: boolean;
}

/** What a tensor is for; decides its start value, its weight decay and whether LoRA adapts it. */
type TensorRole = 'embedding' | 'projection' | 'residual-projection' | 'bias' | 'norm' | 'head';

export interface TensorSpec {
  /** Hugging Face's name. */
  readonly name: string;
  /** Matrices as [out, in]. */
  readonly dims: readonly number[];
  readonly role: TensorRole;
}

export const EMBEDDING = 'model.embed_tokens.weight';
export const FINAL_NORM = 'model.norm.weight';
export const HEAD = 'lm_head.weight';

/** Name of the output layer's weight [vocab, hidden]: the embedding's where tied. */
export function headName({ tied }: ModelTraits): string {
  return tied ? EMBEDDING : HEAD;
}

/** The names of one layer's tensors, those that not every family has included. */
export function layerNames(layer: number): {
  readonly [
    key in
      | 'inputNorm'
      | 'query'
      | 'key'
      | 'value'
      | 'queryBias'
      | 'keyBias'
      | 'valueBias'
      | 'queryNorm'
      | 'keyNorm'
      | 'attentionOutput'
      | 'postNorm'
      | 'gate'
      | 'up'
      | 'down'
  ]: string;
} {
  const prefix = `model.layers.${layer}`;
  return {
    inputNorm: `${prefix}.input_layernorm.weight`,
    query: `${prefix}.self_attn.q_proj.weight`,
    key: `${prefix}.self_attn.k_proj.weight`,
    value: `${prefix}.self_attn.v_proj.weight`,
    queryBias: `${prefix}.self_attn.q_proj.bias`,
    keyBias: `${prefix}.self_attn.k_proj.bias`,
    valueBias: `${prefix}.self_attn.v_proj.bias`,
    queryNorm: `${prefix}.self_attn.q_norm.weight`,
    keyNorm: `${prefix}.self_attn.k_norm.weight`,
    attentionOutput: `${prefix}.self_attn.o_proj.weight`,
    postNorm: `${prefix}.post_attention_layernorm.weight`,
    gate: `${prefix}.mlp.gate_proj.weight`,
    up: `${prefix}.mlp.up_proj.weight`,
    down: `${prefix}.mlp.down_proj.weight`,
  };
}

/** Every tensor of a policy, in a fixed order. A tied policy has no `lm_head.weight`. */
export function tensorSpecs(traits: ModelTraits): TensorSpec[] {
  const { hidden, ffn, vocab } = traits;
  const queries = traits.heads * traits.headDim;
  const keys = traits.kvHeads * traits.headDim;
  const specs: TensorSpec[] = [{ name: EMBEDDING, dims: [vocab, hidden], role: 'embedding' }];
  for (let layer = 0; layer < traits.layers; layer++) {
    const names = layerNames(layer);
    specs.push(
      { name: names.inputNorm, dims: [hidden], role: 'norm' },
      { name: names.query, dims: [queries, hidden], role: 'projection' },
      { name: names.key, dims: [keys, hidden], role: 'projection' },
      { name: names.value, dims: [keys, hidden], role: 'projection' },
      ...optionalSpecs(traits, names),
      { name: names.attentionOutput, dims: [hidden, queries], role: 'residual-projection' },
      { name: names.postNorm, dims: [hidden], role: 'norm' },
      { name: names.gate, dims: [ffn, hidden], role: 'projection' },
      { name: names.up, dims: [ffn, hidden], role: 'projection' },
      { name: names.down, dims: [hidden, ffn], role: 'residual-projection' },
    );
  }
  specs.push({ name: FINAL_NORM, dims: [hidden], role: 'norm' });
  if (!traits.tied) specs.push({ name: HEAD, dims: [vocab, hidden], role: 'head' });
  return specs;
}

function optionalSpecs(
  traits: ModelTraits,
  names: ReturnType<typeof layerNames>,
): readonly TensorSpec[] {
  const queries = traits.heads * traits.headDim;
  const keys = traits.kvHeads * traits.headDim;
  const specs: TensorSpec[] = [];
  if (traits.qkvBias === true) {
    specs.push(
      { name: names.queryBias, dims: [queries], role: 'bias' },
      { name: names.keyBias, dims: [keys], role: 'bias' },
      { name: names.valueBias, dims: [keys], role: 'bias' },
    );
  }
  if (traits.qkNorm === true) {
    specs.push(
      { name: names.queryNorm, dims: [traits.headDim], role: 'norm' },
      { name: names.keyNorm, dims: [traits.headDim], role: 'norm' },
    );
  }
  return specs;
}

/** All parameters; a tied table counts once. */
export function parameterCount(traits: ModelTraits): number {
  return totalElements(tensorSpecs(traits));
}

/** Elements of several tensors. */
export function totalElements(specs: readonly { readonly dims: readonly number[] }[]): number {
  return specs.reduce((sum, { dims }) => sum + elementCount(dims), 0);
}

/** Elements of a tensor. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, d) => product * d, 1);
}

/** How much dearer an operation of attention is than one of a projection: small products, masks and softmax (measured). */
const ATTENTION_FACTOR = 3;

/** What a token costs in one layer, in multiplications: all but attention, and attention per token looked at. */
export function tokenCosts(traits: ModelTraits): { linear: number; attention: number } {
  const queries = traits.heads * traits.headDim;
  const keys = traits.kvHeads * traits.headDim;
  return {
    linear: traits.hidden * (2 * queries + 2 * keys + 3 * traits.ffn),
    attention: ATTENTION_FACTOR * 2 * queries,
  };
}
