/** Where a fork begins: at the end of an epoch (0: before the first step), after a step, after the newest step or the best evaluated one. */
export type ForkPoint = { readonly epoch: number } | { readonly step: number } | 'newest' | 'best';

/** The field `fork` of what `trainingRun` is started with; the other fields are the settings that the fork changes. */
export interface ForkAsked {
  /** The run whose state is taken over: its parent. */
  readonly run: string;
  /** At the end of this epoch … */
  readonly epoch?: number | undefined;
  /** … or after this step; exactly one of the two is given. */
  readonly step?: number | undefined;
  /** Who asks, for the record. */
  readonly by?: string | undefined;
}

/** Where a run that is a fork comes from. */
export interface RunOrigin {
  /** The parent. It may be gone. */
  readonly run: string;
  /** The fork took over the state after this step; 0: before the first. */
  readonly step: number;
  /** The epoch that ended with it; null in the middle of one. */
  readonly epoch: number | null;
}

/** E.g. `my-run@2 (step 6)`, or `my-run, step 5` in the middle of an epoch. */
export function originText({ run, step, epoch }: RunOrigin): string {
  return epoch === null ? `${run}, step ${step}` : `${run}@${epoch} (step ${step})`;
}

/** Where a run stands that has done so many steps. */
export function originAt(run: string, step: number, stepsPerEpoch: number): RunOrigin {
  return { run, step, epoch: step % stepsPerEpoch === 0 ? step / stepsPerEpoch : null };
}
