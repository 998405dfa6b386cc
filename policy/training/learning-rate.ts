/** Linear warm-up to `peak` over `warmupSteps` (step 0 already moves), then constant. */
export function warmedUp(peak: number, step: number, warmupSteps: number): number {
  return step < warmupSteps ? (peak * (step + 1)) / warmupSteps : peak;
}

/** From `start` at step 0 to `end` at the last of `steps`, linear. */
export function linearDecay(start: number, end: number, step: number, steps: number): number {
  if (steps <= 1) return start;
  return start + ((end - start) * Math.min(step, steps - 1)) / (steps - 1);
}
