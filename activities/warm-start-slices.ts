import type { RunConfig } from '../contracts/config.ts';
import { BLOCK_STEPS } from './demonstration-batches.ts';

/** Optimiser steps of a slice at most, and so the most that a crash can cost; a whole number of blocks. */
export const SLICE_STEPS = 6 * BLOCK_STEPS;

/** A durable piece of the warm start; never crosses a phase. */
export interface WarmStartSlice {
  /** 0-based phase. */
  readonly phase: number;
  /** 0-based step within the phase; a multiple of {@link BLOCK_STEPS}. */
  readonly firstStep: number;
  readonly steps: number;
}

/** How a warm start is cut into slices; slice n of the workflow is element n − 1. */
export function warmStartSlices(phases: RunConfig['warmStart']): WarmStartSlice[] {
  return phases.flatMap(({ steps }, phase) =>
    Array.from({ length: Math.ceil(steps / SLICE_STEPS) }, (_, i) => ({
      phase,
      firstStep: i * SLICE_STEPS,
      steps: Math.min(SLICE_STEPS, steps - i * SLICE_STEPS),
    })),
  );
}
