/** `hf`: a Hugging Face folder, adapters merged into the weights; `peft`: LoRA's adapters alone. */
export const EXPORT_FORMATS = ['hf', 'peft'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** Type of the numbers written; names as in transformers. */
export const EXPORT_DTYPES = ['float32', 'bfloat16'] as const;
export type ExportDtype = (typeof EXPORT_DTYPES)[number];

export interface ExportOptions {
  /** Where it is written: a new folder, or an empty one. */
  readonly folder: string;
  /**
   * The policy at the end of this epoch, or as near to it as the run has come; 0: before the first step; `best`: the one that did
   * best on the first held-out split, of those that are kept. Default: the newest.
   */
  readonly epoch?: number | 'best' | undefined;
  /** Default `hf`. */
  readonly format?: ExportFormat | undefined;
  /** Default `float32`, in which policies are trained. */
  readonly dtype?: ExportDtype | undefined;
}

/** `toolsample export RUN DIR --json`. Stable: fields are added, never changed. */
export interface ExportedPolicy {
  readonly run: string;
  /** Absolute path. */
  readonly folder: string;
  /** SHA-256 of the weights' file: `model.safetensors` or `adapter_model.safetensors`. */
  readonly policySha256: string;
  /** Epoch of the step; 0: before the first step. */
  readonly epoch: number;
  /** The step after which the policy was taken. */
  readonly step: number;
  /** Whether that is the end of the epoch (at epoch 0: of the cold start). */
  readonly epochFinished: boolean;
  readonly format: ExportFormat;
  readonly dtype: ExportDtype;
}
