import type { RunConfig } from '../contracts/config.ts';
import { BLOCK_STEPS } from './demonstration-batches.ts';

/** Optimiser steps of a slice at most; a whole number of blocks. */
const MOST_STEPS = 6 * BLOCK_STEPS;

/**
 * Parameters × tokens of a slice: about a minute on two cores (some 6 operations each), and so what a crash costs at most.
 * A single step may be more.
 */
const SLICE_WORK = 1e12;

/** A durable piece of the warm start; never crosses a phase. */
export interface WarmStartSlice {
  /** 0-based phase. */
  readonly phase: number;
  /** 0-based step within the phase. */
  readonly firstStep: number;
  readonly steps: number;
}

/**
 * How a warm start is cut into slices; slice n of the workflow is element n − 1. The cuts do not change what is learnt.
 *
 * @param parameters - Of the policy; 0 where they were not recorded.
 */
export function warmStartSlices(
  phases: RunConfig['warmStart'],
  parameters: number,
): WarmStartSlice[] {
  return phases.flatMap(({ steps, batchTokens }, phase) => {
    const affordable = Math.floor(SLICE_WORK / (parameters * batchTokens));
    const size = Math.min(MOST_STEPS, Math.max(1, affordable));
    return Array.from({ length: Math.ceil(steps / size) }, (_, i) => ({
      phase,
      firstStep: i * size,
      steps: Math.min(size, steps - i * size),
    }));
  });
}
