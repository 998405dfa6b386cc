import type { ModelFamily } from './model-family.ts';

/** Llama 2 and 3, SmolLM2 and others that share the class. */
export const LLAMA: ModelFamily = {
  modelType: 'llama',
  architecture: 'LlamaForCausalLM',
  parts: {},
  defaults: { max_position_embeddings: 2048, rms_norm_eps: 1e-6, tie_word_embeddings: false },
  limits: [
    { field: 'attention_bias', only: false, means: 'biases on all four projections of attention' },
    { field: 'mlp_bias', only: false, means: 'biases in the feed-forward layer' },
  ],
};
