import type { Roofline } from './roofline.ts';
import type { BenchRow } from './row.ts';

/** How often something is measured. */
export interface Patience {
  readonly repeats: number;
  /** After so many seconds no further repetition is begun; one is always done. */
  readonly budgetSeconds: number;
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  const low = sorted[Math.ceil(half) - 1] ?? Number.NaN;
  const high = sorted[Math.floor(half)] ?? Number.NaN;
  return (low + high) / 2;
}

/** Runs `round` up to `repeats` times, within the budget. */
export async function repeat(
  { repeats, budgetSeconds }: Patience,
  round: (index: number) => Promise<void>,
): Promise<void> {
  const started = performance.now();
  for (let index = 0; index < repeats; index++) {
    if (index > 0 && (performance.now() - started) / 1000 > budgetSeconds) return;
    await round(index);
  }
}

/** What a measurement needs to know of its surroundings. */
export interface Measurement {
  readonly roofline: Roofline;
  readonly patience: Patience;
  /** Told what is being measured. */
  readonly log: (message: string) => void;
}

/** What one repetition has computed. */
export interface Computed {
  readonly tokens: number;
  readonly flops: number;
}

/**
 * Tokens per second of `compute`, and the share of the roofline, which is measured in turn with it: other work on the machine
 * slows both. The larger of the rooflines before and after counts. A first call, not timed, opens sessions and touches memory.
 */
export async function againstRoofline(
  name: Pick<BenchRow, 'work' | 'model'>,
  { roofline, patience, log }: Measurement,
  compute: () => Promise<Computed>,
): Promise<BenchRow> {
  log(`${name.model}: ${name.work}`);
  await compute();
  const rates: number[] = [];
  const shares: number[] = [];
  let before = await roofline.measure();
  await repeat(patience, async () => {
    const started = performance.now();
    const { tokens, flops } = await compute();
    const seconds = (performance.now() - started) / 1000;
    const after = await roofline.measure();
    rates.push(tokens / seconds);
    shares.push(flops / 1e9 / seconds / Math.max(before, after));
    before = after;
  });
  const value = median(rates);
  const share = median(shares);
  return { ...name, value, unit: 'tokens/s', limit: value / share, share };
}
