import type { ModelFamily } from './model-family.ts';

/** Dense Qwen3: each head's queries and keys are normalised before they are rotated. */
export const QWEN3: ModelFamily = {
  modelType: 'qwen3',
  architecture: 'Qwen3ForCausalLM',
  parts: { qkNorm: true },
  defaults: {
    num_key_value_heads: 32,
    head_dim: 128,
    max_position_embeddings: 32_768,
    rms_norm_eps: 1e-6,
    tie_word_embeddings: false,
  },
  limits: [
    { field: 'attention_bias', only: false, means: 'biases on all four projections of attention' },
    { field: 'use_sliding_window', only: false, means: 'sliding-window attention' },
  ],
};
