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
