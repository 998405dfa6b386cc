import type { ModelFamily } from './model-family.ts';

/** Qwen2 and Qwen2.5: queries, keys and values have biases, whatever `attention_bias` says. */
export const QWEN2: ModelFamily = {
  modelType: 'qwen2',
  architecture: 'Qwen2ForCausalLM',
  parts: { qkvBias: true },
  defaults: {
    num_key_value_heads: 32,
    max_position_embeddings: 32_768,
    rms_norm_eps: 1e-6,
    tie_word_embeddings: false,
  },
  limits: [{ field: 'use_sliding_window', only: false, means: 'sliding-window attention' }],
};
