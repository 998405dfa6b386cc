import { describe, expect, it } from 'vitest';
import {
  configJson,
  parseArchitecture,
  type PolicyArchitecture,
} from '../../policy/checkpoint/architecture.ts';
import { elementCount, tensorSpecs } from '../../policy/models/model-traits.ts';
import { TINY } from './support/tiny-policy.ts';

/** What the config.json of published checkpoints says, as far as it matters here, and how many parameters they have. */
const PUBLISHED = [
  {
    name: 'Llama-3.2-1B-Instruct',
    parameters: 1_235_814_400,
    config: {
      model_type: 'llama',
      attention_bias: false,
      eos_token_id: [128_001, 128_008, 128_009],
      head_dim: 64,
      hidden_act: 'silu',
      hidden_size: 2048,
      intermediate_size: 8192,
      max_position_embeddings: 131_072,
      mlp_bias: false,
      num_attention_heads: 32,
      num_hidden_layers: 16,
      num_key_value_heads: 8,
      pretraining_tp: 1,
      rms_norm_eps: 1e-5,
      rope_scaling: {
        factor: 32,
        high_freq_factor: 4,
        low_freq_factor: 1,
        original_max_position_embeddings: 8192,
        rope_type: 'llama3',
      },
      rope_theta: 500_000,
      tie_word_embeddings: true,
      vocab_size: 128_256,
    },
  },
  {
    name: 'Qwen2.5-0.5B-Instruct',
    parameters: 494_032_768,
    config: {
      model_type: 'qwen2',
      eos_token_id: 151_645,
      hidden_act: 'silu',
      hidden_size: 896,
      intermediate_size: 4864,
      max_position_embeddings: 32_768,
      max_window_layers: 21,
      num_attention_heads: 14,
      num_hidden_layers: 24,
      num_key_value_heads: 2,
      rms_norm_eps: 1e-6,
      rope_theta: 1_000_000,
      sliding_window: 32_768,
      tie_word_embeddings: true,
      use_sliding_window: false,
      vocab_size: 151_936,
    },
  },
  {
    name: 'Qwen3-0.6B',
    parameters: 596_049_920,
    config: {
      model_type: 'qwen3',
      attention_bias: false,
      eos_token_id: 151_645,
      head_dim: 128,
      hidden_act: 'silu',
      hidden_size: 1024,
      intermediate_size: 3072,
      max_position_embeddings: 40_960,
      max_window_layers: 28,
      num_attention_heads: 16,
      num_hidden_layers: 28,
      num_key_value_heads: 8,
      rms_norm_eps: 1e-6,
      rope_scaling: null,
      rope_theta: 1_000_000,
      sliding_window: null,
      tie_word_embeddings: true,
      use_sliding_window: false,
      vocab_size: 151_936,
    },
  },
];

describe('config.json', () => {
  it.each(PUBLISHED)('of $name gives all its parameters', ({ config, parameters }) => {
    const architecture = parseArchitecture(JSON.stringify(config));
    const specs = tensorSpecs(architecture.traits);
    expect(specs.reduce((sum, { dims }) => sum + elementCount(dims), 0)).toBe(parameters);
    expect(new Set(specs.map(({ name }) => name)).size).toBe(specs.length);
    expect(architecture.eosIds).toEqual([config.eos_token_id].flat());
    expect(parseArchitecture(configJson(architecture))).toEqual(architecture);
  });

  it.each<PolicyArchitecture>([
    TINY,
    { ...TINY, traits: { ...TINY.traits, ropeScaling: { type: 'linear', factor: 4 } } },
    {
      ...TINY,
      eosIds: [257, 258],
      traits: {
        ...TINY.traits,
        tied: false,
        ropeScaling: {
          type: 'llama3',
          factor: 32,
          lowFrequencyFactor: 1,
          highFrequencyFactor: 4,
          originalContext: 8192,
        },
      },
    },
    { ...TINY, modelType: 'qwen2', traits: { ...TINY.traits, qkvBias: true } },
    { ...TINY, modelType: 'qwen3', traits: { ...TINY.traits, headDim: 16, qkNorm: true } },
  ])('reads what it writes about an architecture: %o', (architecture) => {
    expect(parseArchitecture(configJson(architecture))).toEqual(architecture);
  });

  it('reads older and newer spellings of rotary positions', () => {
    const config = JSON.parse(configJson(TINY)) as Record<string, unknown>;
    delete config['head_dim'];
    delete config['rope_theta'];
    config['rope_parameters'] = { rope_theta: 500_000, rope_type: 'default' };
    config['eos_token_id'] = 257;
    expect(parseArchitecture(JSON.stringify(config))).toEqual({
      ...TINY,
      traits: { ...TINY.traits, ropeTheta: 500_000 },
    });
    const scaling = {
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    };
    const ropeOf = (fields: Record<string, unknown>) => {
      const { ropeTheta, ropeScaling } = parseArchitecture(
        JSON.stringify({ ...config, rope_parameters: undefined, ...fields }),
      ).traits;
      return { ropeTheta, ropeScaling };
    };
    const expected = {
      ropeTheta: 500_000,
      ropeScaling: {
        type: 'llama3',
        factor: 8,
        lowFrequencyFactor: 1,
        highFrequencyFactor: 4,
        originalContext: 8192,
      },
    };
    const [theta, type] = [{ rope_theta: 500_000 }, { rope_type: 'llama3' }];
    expect(ropeOf({ ...theta, rope_scaling: { ...type, ...scaling } })).toEqual(expected);
    expect(ropeOf({ rope_parameters: { ...theta, ...type, ...scaling } })).toEqual(expected);
    expect(ropeOf({ rope_scaling: { type: 'linear', factor: 2 } })).toEqual({
      ropeTheta: 10_000,
      ropeScaling: { type: 'linear', factor: 2 },
    });
    expect(ropeOf({ rope_scaling: null, rope_parameters: null })).toEqual({ ropeTheta: 10_000 });
  });

  it('takes the defaults of a family where a field is left out', () => {
    const config = JSON.parse(configJson(TINY)) as Record<string, unknown>;
    for (const field of ['head_dim', 'rms_norm_eps', 'max_position_embeddings'])
      delete config[field];
    delete config['num_key_value_heads'];
    const read = (modelType: string) =>
      parseArchitecture(
        JSON.stringify({
          ...config,
          hidden_size: 64,
          num_attention_heads: 32,
          model_type: modelType,
        }),
      );
    expect(read('llama')).toMatchObject({
      traits: { headDim: 2, kvHeads: 32, rmsEps: 1e-6 },
      contextLength: 2048,
    });
    expect(read('qwen3')).toMatchObject({
      traits: { headDim: 128, kvHeads: 32, rmsEps: 1e-6, qkNorm: true },
      contextLength: 32_768,
    });
  });
});
