import type { ModelTraits } from '../model-traits.ts';

/**
 * What is special about one family of checkpoints. Everything else (gated feed-forward, RMS norms before each block, grouped
 * queries, rotary positions) is common to all of them.
 */
export interface ModelFamily {
  /** `model_type` of its `config.json`. */
  readonly modelType: string;
  /** Its class in transformers, as in `architectures`. */
  readonly architecture: string;
  /** Parts that each of its layers has besides the common ones. */
  readonly parts: Pick<ModelTraits, 'qkvBias' | 'qkNorm'>;
  /** Fields of `config.json` where they are left out, as in transformers' configuration class. */
  readonly defaults: { readonly [field: string]: number | boolean };
  /** Fields whose other values would make the policy compute something that is not implemented. */
  readonly limits: readonly FieldLimit[];
}

/** A field that may be absent, null or `only`. */
export interface FieldLimit {
  readonly field: string;
  readonly only: boolean | string | number;
  /** What any other value asks for. */
  readonly means: string;
}
