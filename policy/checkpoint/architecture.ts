import { ToolsampleError } from '../../contracts/errors.ts';
import type { LlamaTraits } from '../models/llama-traits.ts';

/** What a policy's `config.json` states. */
export interface PolicyArchitecture {
  readonly traits: LlamaTraits;
  /** Tokens of prompt and completion together, at most. */
  readonly contextLength: number;
  /** End-of-sequence ids that the configuration names; may be empty. */
  readonly eosIds: readonly number[];
}

/** `model_type` values that can be trained. */
const KNOWN_MODEL_TYPES = ['llama'] as const;

/**
 * Reads a HF `config.json`.
 * @throws ToolsampleError `checkpoint` when the architecture is unknown or a field is missing or contradictory
 */
export function parseArchitecture(json: string, file = 'config.json'): PolicyArchitecture {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (cause) {
    throw new ToolsampleError('checkpoint', 'is not valid JSON', { at: { file }, cause });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new ToolsampleError('checkpoint', 'is not a JSON object', { at: { file } });
  }
  const config = parsed as Record<string, unknown>;
  const type = config['model_type'];
  if (!KNOWN_MODEL_TYPES.some((known) => known === type)) {
    throw new ToolsampleError('checkpoint', `unknown architecture ${JSON.stringify(type)}`, {
      at: { file, field: 'model_type' },
      hint: `known architectures: ${KNOWN_MODEL_TYPES.join(', ')}`,
    });
  }
  refuseVariants(config, file);
  const hiddenSize = count(config, 'hidden_size', file);
  const heads = count(config, 'num_attention_heads', file);
  const keyValueHeads = count(config, 'num_key_value_heads', file, heads);
  const headDim = count(config, 'head_dim', file, hiddenSize / heads);
  if (heads % keyValueHeads !== 0) {
    throw fieldError(
      file,
      'num_key_value_heads',
      `${keyValueHeads} does not divide the ${heads} attention heads`,
    );
  }
  if (headDim % 2 !== 0)
    throw fieldError(file, 'head_dim', `${headDim} is odd; rotary positions need pairs`);
  const rope = record(config['rope_parameters']);
  return {
    traits: {
      hidden: hiddenSize,
      layers: count(config, 'num_hidden_layers', file),
      heads,
      kvHeads: keyValueHeads,
      headDim,
      ffn: count(config, 'intermediate_size', file),
      vocab: count(config, 'vocab_size', file),
      ropeTheta: positive(
        rope['rope_theta'] === undefined ? config : rope,
        'rope_theta',
        file,
        10_000,
      ),
      rmsEps: positive(config, 'rms_norm_eps', file, 1e-6),
      tied: config['tie_word_embeddings'] === true,
    },
    contextLength: count(config, 'max_position_embeddings', file),
    eosIds: eosIds(config['eos_token_id'], file),
  };
}

/** The `config.json` that {@link parseArchitecture} reads as `architecture`. */
export function configJson({ traits, contextLength, eosIds: eos }: PolicyArchitecture): string {
  const config = {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: traits.vocab,
    hidden_size: traits.hidden,
    intermediate_size: traits.ffn,
    num_hidden_layers: traits.layers,
    num_attention_heads: traits.heads,
    num_key_value_heads: traits.kvHeads,
    head_dim: traits.headDim,
    max_position_embeddings: contextLength,
    hidden_act: 'silu',
    rms_norm_eps: traits.rmsEps,
    rope_theta: traits.ropeTheta,
    tie_word_embeddings: traits.tied,
    eos_token_id: eos,
    torch_dtype: 'float32',
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** Variants of the family that would load but compute something else are refused. */
function refuseVariants(config: Record<string, unknown>, file: string): void {
  const activation = config['hidden_act'] ?? 'silu';
  if (activation !== 'silu') {
    throw fieldError(
      file,
      'hidden_act',
      `${JSON.stringify(activation)} is not supported (only "silu")`,
    );
  }
  for (const field of ['attention_bias', 'mlp_bias']) {
    if (config[field] === true) throw fieldError(file, field, 'biases are not supported');
  }
  for (const field of ['rope_scaling', 'rope_parameters']) {
    const rope = record(config[field]);
    const type = rope['rope_type'] ?? rope['type'] ?? 'default';
    if (type !== 'default') {
      throw fieldError(file, field, `rotary scaling ${JSON.stringify(type)} is not supported`);
    }
  }
  if (config['quantization_config'] !== undefined) {
    throw fieldError(file, 'quantization_config', 'quantised checkpoints cannot be trained');
  }
}

function fieldError(file: string, field: string, problem: string): ToolsampleError {
  return new ToolsampleError('checkpoint', problem, {
    at: { file, field },
    hint: 'use another checkpoint of the Llama family',
  });
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

// Beyond any real model; keeps products of sizes exact and allocations sane.
const MAX_SIZE = 1 << 24;

function count(
  config: Record<string, unknown>,
  field: string,
  file: string,
  fallback?: number,
): number {
  const value = config[field] ?? fallback;
  if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= MAX_SIZE) {
    return value;
  }
  throw fieldError(file, field, `must be a positive whole number, not ${JSON.stringify(value)}`);
}

function positive(
  config: Record<string, unknown>,
  field: string,
  file: string,
  fallback: number,
): number {
  const value = config[field] ?? fallback;
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
  throw fieldError(file, field, `must be a positive number, not ${JSON.stringify(value)}`);
}

function eosIds(value: unknown, file: string): number[] {
  const ids: unknown[] = Array.isArray(value)
    ? value
    : value === undefined || value === null
      ? []
      : [value];
  return ids.map((id) => {
    if (typeof id === 'number' && Number.isInteger(id) && id >= 0) return id;
    throw fieldError(file, 'eos_token_id', `must be token ids, not ${JSON.stringify(value)}`);
  });
}
