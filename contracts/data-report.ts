import type { CompletionShape, DataFormat, RejectedRow, Sample } from './sample.ts';

/** How a length is distributed over the samples of a file. */
export interface LengthSummary {
  readonly min: number;
  readonly median: number;
  /** 95 of 100 samples are not longer. */
  readonly p95: number;
  readonly max: number;
}

/** Lengths of prompts (tools included) and of reference completions. */
export interface PromptLengths {
  readonly prompt: LengthSummary;
  readonly completion: LengthSummary;
}

/** A tool and how many samples have to do with it. */
export interface ToolCount {
  readonly name: string;
  /** Samples whose prompt has it on offer. */
  readonly offered: number;
  /** Samples whose ground truth calls it. */
  readonly called: number;
}

/** What `toolsample data inspect` finds in a file. */
export interface DataReport {
  readonly file: string;
  /** Null: no row of any known format. */
  readonly format: DataFormat | null;
  readonly samples: number;
  /** Rows that hold a sample or more. */
  readonly rows: number;
  readonly badRows: number;
  /** The first bad rows. */
  readonly problems: readonly RejectedRow[];
  readonly shapes: { readonly [shape in CompletionShape]: number };
  /** Samples by the number of their ground-truth calls. */
  readonly callsPerSample: { readonly [calls: string]: number };
  readonly tools: {
    /** Different names, offered or called. */
    readonly names: number;
    /** The most called ones, then the most offered. */
    readonly most: readonly ToolCount[];
  };
  /** Null without a sample. */
  readonly characters: PromptLengths | null;
  /** Of the policy that was named; null without one, or without a sample. */
  readonly tokens: PromptLengths | null;
  readonly first: Sample | null;
  /** The prompt of the first sample as the policy gets it; null without a policy. */
  readonly firstPrompt: string | null;
}

/** What became of a file's samples. */
export interface DataWritten {
  readonly file: string;
  readonly samples: number;
}

/** What `data convert` and `data dedupe` did. */
export interface DataRewrite {
  readonly from: string;
  readonly written: DataWritten;
  readonly duplicates: number;
  readonly badRows: number;
}

/** What `data split` did. */
export interface DataSplit {
  readonly from: string;
  readonly train: DataWritten;
  readonly heldOut: DataWritten;
  /** In neither file: they show a held-out tool, and call another one or none. */
  readonly mixed: number;
  readonly heldOutTools: readonly string[];
  readonly trainTools: number;
  readonly badRows: number;
}
