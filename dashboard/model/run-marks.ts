import type { RunDetail, RunEvent, StepPoint } from '../../contracts/dashboard.ts';
import { span } from './number-text.ts';
import { standstills, type Timeline } from './standstills.ts';

/** Something that the pictures of a run mark. */
export interface RunMark {
  /** Counts from 1; the pictures show it. */
  readonly number: number;
  /** Where it lies: after this step. */
  readonly step: number;
  readonly at: string | null;
  readonly kind: MarkKind;
  readonly text: string;
}

/** `lost`: the run stood still, or was gone, without anybody having asked for it. */
export type MarkKind = 'lost' | 'failed' | 'resumed' | 'paused' | 'stopped' | 'changed' | 'note';

const KINDS: { readonly [kind: string]: MarkKind } = {
  resumed: 'resumed',
  running: 'resumed',
  paused: 'paused',
  stopped: 'stopped',
  failed: 'failed',
  all_mastered: 'note',
};

/**
 * Where a run crashed, resumed, was paused or changed. Nobody is left to record a crash: it is told from a run that resumed
 * without having ended, and from a stretch in which nothing was computed for long and for which no event gives a reason.
 */
export function runMarks(
  run: Timeline & Pick<RunDetail, 'settings'>,
  steps: readonly StepPoint[],
): readonly RunMark[] {
  const { events, settings } = run;
  const told = events.flatMap((event, index) => {
    const kind = Object.hasOwn(KINDS, event.kind) ? KINDS[event.kind] : undefined;
    if (kind === undefined) return [];
    const lost = event.kind === 'resumed' && !endedBefore(events.slice(0, index));
    return [
      {
        step: event.step ?? 0,
        at: event.at,
        kind: lost ? ('lost' as const) : kind,
        text: lost ? `was lost (crash or reboot), ${event.message}` : wording(event),
      },
    ];
  });
  const explained = new Set(told.map(({ step }) => step));
  const still = standstills(run, steps)
    .filter(({ step }) => !explained.has(step))
    .map(({ step, seconds, at, where }) => ({
      step,
      at,
      kind: 'lost' as const,
      text: `stood still for ${span(seconds)} ${where} (a worker that was lost, or a machine that was busy)`,
    }));
  const changed = settings.map(({ key, from, to, fromStep }) => ({
    step: fromStep - 1,
    at: null,
    kind: 'changed' as const,
    text: `${key} ${JSON.stringify(from)} → ${JSON.stringify(to)} from step ${fromStep} on`,
  }));
  return (
    [...told, ...still, ...changed]
      // Stable: what happened after the same step stays in its order, changes of settings behind it.
      .sort((a, b) => a.step - b.step)
      .map((mark, index) => ({ number: index + 1, ...mark }))
  );
}

/** The record of a pause that ended speaks of the state; people ask what happened. */
function wording({ kind, step, message }: RunEvent): string {
  return kind === 'running' ? `went on after step ${step ?? 0}` : message;
}

/** Whether the run had come to an end that was recorded, since it last went on. */
function endedBefore(events: readonly RunEvent[]): boolean {
  const last = events.findLast(({ kind }) => Object.hasOwn(KINDS, kind) && kind !== 'all_mastered');
  return last !== undefined && ['stopped', 'failed', 'paused'].includes(last.kind);
}
