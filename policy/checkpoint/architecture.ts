import { ToolsampleError } from '../../contracts/errors.ts';
import { KNOWN_FAMILIES } from '../models/families/known-families.ts';
import type { FieldLimit, ModelFamily } from '../models/families/model-family.ts';
import type { ModelTraits } from '../models/model-traits.ts';
import { parseJsonObject } from './checkpoint-files.ts';
import {
  count,
  fieldError,
  knownModelTypes,
  positive,
  type ConfigFields,
} from './config-fields.ts';
import { inBrief } from './in-brief.ts';
import { parseRotary, rotaryFields } from './rotary-fields.ts';

/** What a policy's `config.json` states. */
export interface PolicyArchitecture {
  /** Of a known family ({@link KNOWN_FAMILIES}). */
  readonly modelType: string;
  readonly traits: ModelTraits;
  /** Tokens of prompt and completion together, at most. */
  readonly contextLength: number;
  /** End-of-sequence ids that the configuration names; may be empty. */
  readonly eosIds: readonly number[];
}

/** Limits of what is implemented, for every family. */
const COMMON_LIMITS: readonly FieldLimit[] = [
  { field: 'hidden_act', only: 'silu', means: 'an activation other than SiLU' },
];

/** Tables of positions are made for the whole context: beyond this they would take gigabytes. */
const MAX_CONTEXT = 1 << 21;
/** Every layer is listed before a tensor is looked for. */
const MAX_LAYERS = 1024;

/**
 * Reads a HF `config.json`.
 * @throws ToolsampleError `checkpoint` when the architecture is unknown or a field is missing or contradictory
 */
export function parseArchitecture(json: string, file = 'config.json'): PolicyArchitecture {
  const written = parseJsonObject(json, file, 'checkpoint');
  const family = KNOWN_FAMILIES.find(({ modelType }) => modelType === written['model_type']);
  if (family === undefined) {
    const problem = `unknown architecture ${inBrief(written['model_type'])}`;
    throw new ToolsampleError('checkpoint', problem, {
      at: { file, field: 'model_type' },
      hint: `known architectures: ${knownModelTypes()}`,
    });
  }
  refuseVariants(written, family, file);
  const config: ConfigFields = { ...family.defaults, ...written };
  const hidden = count(config, 'hidden_size', file);
  const heads = count(config, 'num_attention_heads', file);
  const kvHeads = count(config, 'num_key_value_heads', file, heads);
  const headDim = count(config, 'head_dim', file, hidden / heads);
  if (heads % kvHeads !== 0) {
    const problem = `${kvHeads} does not divide the ${heads} attention heads`;
    throw fieldError(file, 'num_key_value_heads', problem);
  }
  if (headDim % 2 !== 0)
    throw fieldError(file, 'head_dim', `${headDim} is odd; rotary positions need pairs`);
  const contextLength = count(config, 'max_position_embeddings', file);
  if (contextLength > MAX_CONTEXT) {
    const problem = `${contextLength} tokens are more than are supported, ${MAX_CONTEXT}`;
    throw fieldError(file, 'max_position_embeddings', problem);
  }
  const layers = count(config, 'num_hidden_layers', file);
  if (layers > MAX_LAYERS)
    throw fieldError(file, 'num_hidden_layers', `${layers} layers are more than any model has`);
  return {
    modelType: family.modelType,
    traits: {
      hidden,
      layers,
      heads,
      kvHeads,
      headDim,
      ffn: count(config, 'intermediate_size', file),
      vocab: count(config, 'vocab_size', file),
      ...parseRotary(config, contextLength, file),
      rmsEps: positive(config, 'rms_norm_eps', file),
      tied: config['tie_word_embeddings'] === true,
      ...family.parts,
    },
    contextLength,
    eosIds: eosIds(config['eos_token_id'], file),
  };
}

/** What the text side has to know of a policy's `config.json`; of any architecture. */
export type VocabularyFacts = Pick<PolicyArchitecture, 'contextLength' | 'eosIds'> & {
  /** Ids that the policy knows. */
  readonly vocab: number;
};

/** @throws ToolsampleError `checkpoint` when a field is missing or contradictory */
export function parseVocabularyFacts(json: string, file = 'config.json'): VocabularyFacts {
  const written = parseJsonObject(json, file, 'checkpoint');
  const family = KNOWN_FAMILIES.find(({ modelType }) => modelType === written['model_type']);
  const config: ConfigFields = { ...family?.defaults, ...written };
  return {
    vocab: count(config, 'vocab_size', file),
    contextLength: count(config, 'max_position_embeddings', file),
    eosIds: eosIds(config['eos_token_id'], file),
  };
}

/** The `config.json` that {@link parseArchitecture} reads as `architecture`. */
export function configJson(architecture: PolicyArchitecture): string {
  const { modelType, traits, contextLength, eosIds: eos } = architecture;
  const family = KNOWN_FAMILIES.find((known) => known.modelType === modelType);
  if (family === undefined) throw new Error(`${modelType} is not a known family`);
  const config = {
    architectures: [family.architecture],
    model_type: modelType,
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
    ...rotaryFields(traits),
    tie_word_embeddings: traits.tied,
    eos_token_id: eos,
    torch_dtype: 'float32',
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** Variants of a family that would load but compute something else are refused. */
function refuseVariants(config: ConfigFields, { limits }: ModelFamily, file: string): void {
  for (const { field, only, means } of [...COMMON_LIMITS, ...limits]) {
    const value = config[field] ?? only;
    if (value === only) continue;
    const problem = `${inBrief(value)} means ${means}, which is not supported`;
    throw fieldError(file, field, problem);
  }
  const layerTypes: unknown = config['layer_types'] ?? [];
  if (![layerTypes].flat().every((type) => type === 'full_attention')) {
    throw fieldError(file, 'layer_types', 'only "full_attention" is supported');
  }
  if ((config['quantization_config'] ?? null) !== null) {
    throw fieldError(file, 'quantization_config', 'quantised checkpoints cannot be trained');
  }
}

function eosIds(value: unknown, file: string): number[] {
  const ids: unknown[] = [value ?? []].flat();
  return ids.map((id) => {
    if (typeof id === 'number' && Number.isInteger(id) && id >= 0) return id;
    throw fieldError(file, 'eos_token_id', `must be token ids, not ${inBrief(value)}`);
  });
}
