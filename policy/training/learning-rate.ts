/** Linear warm-up to `peak` over `warmupSteps` (step 0 already moves), then constant. */
export function warmedUp(peak: number, step: number, warmupSteps: number): number {
  return step < warmupSteps ? (peak * (step + 1)) / warmupSteps : peak;
}

/**
 * The rate of a step on fewer groups than wanted: smaller in proportion (linear scaling rule, Goyal et al. 2017, arXiv 1706.02677). AdamW moves
 * as far on one group as on many, and a run that has little left to learn would be led about by the few groups that still differ. [ours]
 */
export function forPartialBatch(rate: number, groups: number, wanted: number): number {
  return rate * Math.min(1, groups / wanted);
}

/** From `start` at step 0 to `end` at the last of `steps`, linear. */
export function linearDecay(start: number, end: number, step: number, steps: number): number {
  if (steps <= 1) return start;
  return start + ((end - start) * Math.min(step, steps - 1)) / (steps - 1);
}
