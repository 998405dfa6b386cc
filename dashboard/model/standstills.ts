import type { RunDetail, StepPoint } from '../../contracts/dashboard.ts';
import { restSeconds } from './time-shares.ts';

/** A stretch of a run in which nothing was computed for longer than it should have taken. */
export interface Standstill {
  /** It lies after this step. */
  readonly step: number;
  readonly seconds: number;
  /** When the run had gone on. */
  readonly at: string;
  /** E.g. `in step 3`. */
  readonly where: string;
}

/** What a standstill is told from. */
export type Timeline = Pick<RunDetail, 'events' | 'evaluations' | 'coldStart' | 'forkOf'>;

/** A stretch between two commits, however long it idled. */
interface Stretch extends Standstill {
  /** Seconds of it in which something was computed. */
  readonly computed: number;
}

/** A stretch is taken to have stood still when it idled so long … */
const STILL_SECONDS = 8;
/** … and so many times longer than is usual. */
const STILL_FACTOR = 5;

/**
 * Where a run stood still: in a slice of its cold start, in a step, or between two steps, evaluations excepted. A machine that does other
 * things as well lets all that it computes wait, long evaluations longer: that is usual there. Of what a fork has from its parent only the
 * steps are judged, since nobody tells it why the parent waited between them.
 */
export function standstills(run: Timeline, steps: readonly StepPoint[]): readonly Standstill[] {
  const inSteps = steps.map(inStep);
  const usual = {
    seconds: median(inSteps.map(({ seconds }) => seconds)),
    share: median(inSteps.map(({ seconds, computed }) => (computed > 0 ? seconds / computed : 0))),
  };
  return [coldStart(run), beforeSteps(run, steps), inSteps].flatMap((stretches) => {
    const ofKind = median(stretches.map(({ seconds }) => seconds));
    return stretches.filter(
      ({ seconds, computed }) =>
        seconds > STILL_SECONDS &&
        seconds > STILL_FACTOR * Math.max(usual.seconds, usual.share * computed, ofKind, 0.1),
    );
  });
}

function inStep(step: StepPoint): Stretch {
  return {
    step: step.step - 1,
    seconds: restSeconds(step),
    computed: step.rolloutSeconds + step.gradientSeconds,
    at: step.committedAt,
    where: `in step ${step.step}`,
  };
}

/** From the commit of a step, or from the end of the cold start, to the selection of the next batch. */
function beforeSteps(run: Timeline, steps: readonly StepPoint[]): Stretch[] {
  return steps.flatMap((next, index) => {
    const begin = index === 0 ? coldStartEnd(run) : Date.parse(steps[index - 1]?.committedAt ?? '');
    const end = Date.parse(next.committedAt) - 1000 * next.wallSeconds;
    const own = run.forkOf === null || next.step > run.forkOf.step + 1;
    if (!own || !Number.isFinite(begin)) return [];
    const computed = run.evaluations
      .filter(({ step }) => step === next.step - 1)
      .reduce((sum, { seconds }) => sum + seconds, 0);
    return {
      step: next.step - 1,
      // Evaluations that ran side by side took less time than they add up to.
      seconds: Math.max(0, (end - begin) / 1000 - computed),
      computed,
      at: new Date(end).toISOString(),
      where: `before step ${next.step}`,
    };
  });
}

/** The slices of the cold start, each from the commit before. */
function coldStart({ coldStart: slices, events, forkOf }: Timeline): Stretch[] {
  if (forkOf !== null) return [];
  return slices.flatMap(({ committedAt, seconds: computed }, index) => {
    const begin = Date.parse(slices[index - 1]?.committedAt ?? preparedAt(events));
    if (!Number.isFinite(begin)) return [];
    return {
      step: 0,
      seconds: Math.max(0, (Date.parse(committedAt) - begin) / 1000 - computed),
      computed,
      at: committedAt,
      where: `in slice ${index + 1} of the cold start`,
    };
  });
}

/** In milliseconds; not a number where it is not known. */
function coldStartEnd({ coldStart: slices, events }: Timeline): number {
  return Date.parse(slices.at(-1)?.committedAt ?? preparedAt(events));
}

function preparedAt(events: Timeline['events']): string {
  return events.find(({ kind }) => kind === 'prepared')?.at ?? '';
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}
