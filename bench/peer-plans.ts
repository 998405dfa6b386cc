import type { PlannedPeer } from './in-turn.ts';
import type { BenchModel } from './models.ts';
import type { TaskParts } from './task-parts.ts';

/** Transformers' generate with weights in fp32 and in bf16, each with its bar. */
export function hfGenerate(
  { peers, folderOf }: TaskParts,
  model: BenchModel,
  job: { readonly completions: number; readonly newTokens: number },
  bars: { readonly fp32: number | null; readonly bf16?: number | null },
): PlannedPeer[] {
  return precisions(bars).map(([dtype, bar]) => ({
    name: `HF generate ${dtype}`,
    bar,
    open: async () => {
      const folder = await folderOf(model);
      return peers.python('hf_generate.py', { folder, dtype, prompts: model.prompts, ...job });
    },
  }));
}

/** A supervised step in PyTorch, in fp32 and with bf16 autocast. */
export function pyTorchStep(
  { peers, folderOf }: TaskParts,
  model: BenchModel,
  job: {
    readonly rows: readonly (readonly number[])[];
    readonly loraRank: number;
    readonly loraAlpha: number;
  },
  bars: { readonly fp32: number | null; readonly bf16?: number | null },
): PlannedPeer[] {
  return precisions(bars).map(([dtype, bar]) => ({
    name: dtype === 'fp32' ? 'PyTorch fp32' : 'PyTorch bf16 autocast',
    bar,
    open: async () => {
      const folder = await folderOf(model);
      return peers.python('torch_train.py', { folder, dtype, ...job });
    },
  }));
}

/** A whole step of TRL's GRPOTrainer, in fp32 and with its bf16. */
export function trlStep(
  { peers, folderOf, config, scratch }: TaskParts,
  model: BenchModel,
  job: {
    readonly warmUpPrompts: readonly (readonly number[])[];
    readonly completions: number;
    readonly newTokens: number;
  },
  bars: { readonly fp32: number | null; readonly bf16?: number | null },
): PlannedPeer[] {
  const { prompts } = model;
  const longest = Math.max(...prompts.map(({ length }) => length)) + job.newTokens;
  const microRows = microBatchRows(
    prompts.length * job.completions,
    longest,
    config.microBatchTokens,
  );
  return precisions(bars).map(([dtype, bar]) => ({
    name: `TRL GRPOTrainer ${dtype}`,
    bar,
    open: async () => {
      const folder = await folderOf(model);
      return peers.python('trl_step.py', { folder, scratch, dtype, prompts, microRows, ...job });
    },
  }));
}

/** Rows of one micro-batch: as many as its tokens allow, in equal parts of all rows. At least one. */
export function microBatchRows(rows: number, length: number, maxTokens: number): number {
  let most = Math.max(1, Math.min(rows, Math.floor(maxTokens / length)));
  while (rows % most !== 0) most -= 1;
  return most;
}

function precisions(bars: {
  readonly fp32: number | null;
  readonly bf16?: number | null;
}): ['fp32' | 'bf16', number | null][] {
  return [
    ['fp32', bars.fp32],
    ...(bars.bf16 === undefined ? [] : [['bf16', bars.bf16] as ['bf16', number | null]]),
  ];
}
