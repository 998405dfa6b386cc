import { describe, expect, it } from 'vitest';
import { runMarks } from '../../dashboard/model/run-marks.ts';
import type { RunDetail, StepPoint } from '../../contracts/dashboard.ts';
import { detail, evaluation, event, points } from './support/run-points.ts';

/** When the runs here begin, after the last slice of their cold start. */
const BEGIN = 1e12;
const iso = (seconds: number): string => new Date(BEGIN + 1000 * seconds).toISOString();

/** A run with events and settings alone. */
function run(part: Partial<RunDetail> = {}): RunDetail {
  return detail([], { coldStart: [{ committedAt: iso(0), seconds: 4 }], ...part });
}

/** Steps that follow one another, each so many seconds after the one before; where nothing is said, after a tenth. */
function inTurn(steps: readonly StepPoint[], before: { [step: number]: number } = {}): StepPoint[] {
  let end = 0;
  return steps.map((step) => {
    end += (before[step.step] ?? 0.1) + step.wallSeconds;
    return { ...step, committedAt: iso(end) };
  });
}

const texts = (of: RunDetail, steps: readonly StepPoint[]): string[] =>
  runMarks(of, steps).map(({ step, text }) => `${step}: ${text.replace(/ \(.*/, '')}`);

describe('marks', () => {
  it('tells a run that was lost from one that was stopped and resumed', () => {
    const events = [
      event('prepared', null, 'prepared', 0),
      event('resumed', 2, 'resumed after step 2', 1),
      event('stopped', 4, 'stopped after step 4', 2),
      event('resumed', 4, 'resumed after step 4', 3),
      event('request', 5, 'pause asked for by ada after step 5', 4),
      event('paused', 5, 'paused after step 5', 5),
      event('running', 5, 'running after step 5', 6),
      event('resumed', 6, 'resumed after step 6', 8),
    ];
    expect(
      runMarks(run({ events }), points(8)).map(({ number, step, kind }) => [number, step, kind]),
    ).toEqual([
      [1, 2, 'lost'],
      [2, 4, 'stopped'],
      [3, 4, 'resumed'],
      [4, 5, 'paused'],
      [5, 5, 'resumed'],
      [6, 6, 'lost'],
    ]);
  });

  it('marks a step that stood still, unless an event says why', () => {
    const steps = points(8).map((each) =>
      each.step === 3 || each.step === 6 ? { ...each, wallSeconds: 20 } : each,
    );
    const marks = runMarks(run({ events: [event('paused', 5, 'paused after step 5')] }), steps);
    expect(marks.map(({ step, kind }) => [step, kind])).toEqual([
      [2, 'lost'],
      [5, 'paused'],
    ]);
    expect(marks[0]?.text).toContain('stood still for 18 s in step 3');
    // Steps that all take long are no news.
    expect(
      runMarks(
        run(),
        points(8).map((each) => ({ ...each, wallSeconds: 20 })),
      ),
    ).toEqual([]);
  });

  it('marks a crash between two steps, and one in the evaluation there', () => {
    expect(texts(run(), inTurn(points(8), { 4: 14 }))).toEqual([
      '3: stood still for 14 s before step 4',
    ]);
    // Three seconds of the twenty were the evaluation; what a dead worker had computed of it is not recorded.
    const evaluated = { ...run(), evaluations: [evaluation(0, 0.4), evaluation(3, 0.5)] };
    expect(texts(evaluated, inTurn(points(8), { 1: 3.2, 4: 20 }))).toEqual([
      '3: stood still for 17 s before step 4',
    ]);
    expect(runMarks(evaluated, inTurn(points(8), { 4: 20 }))[0]).toMatchObject({
      kind: 'lost',
      at: iso(3 * 2.5 + 3 * 0.1 + 20),
    });
  });

  it('marks a crash in the cold start, and in the evaluation behind it', () => {
    // The last one comes late: its ten seconds of computing took nearly twenty-six.
    const slices = [-46, -35.8, -25.6, 0].map((end) => ({ committedAt: iso(end), seconds: 10 }));
    const prepared = event('prepared', null, 'prepared', -56_200);
    const late = run({ events: [prepared], coldStart: slices });
    expect(texts(late, inTurn(points(8)))).toEqual([
      '0: stood still for 16 s in slice 4 of the cold start',
    ]);
    expect(texts(run(), inTurn(points(8), { 1: 12 }))).toEqual([
      '0: stood still for 12 s before step 1',
    ]);
    const alone = run({ coldStart: [], events: [event('prepared', null, 'prepared', -20_000)] });
    expect(texts(alone, inTurn(points(8)))).toEqual(['0: stood still for 20 s before step 1']);
  });

  it('marks nothing that was asked for, is usual, or befell the parent of a fork', () => {
    const pause = ['paused', 'running'].map((kind) => event(kind, 3, `${kind} after step 3`));
    expect(texts(run({ events: pause }), inTurn(points(8), { 4: 600 }))).toEqual([
      '3: paused after step 3',
      '3: went on after step 3',
    ]);
    // Evaluations fill the time between steps, whole or in part at once.
    const evaluations = points(8).map(({ step }) => ({ ...evaluation(step, 0.5), seconds: 40 }));
    const often = Object.fromEntries(points(8).map(({ step }) => [step, step === 1 ? 0.1 : 40.5]));
    expect(texts({ ...run(), evaluations }, inTurn(points(8), often))).toEqual([]);
    expect(texts({ ...run(), evaluations }, inTurn(points(8), { 4: 12 }))).toEqual([]);
    // Another run has the worker half of the time: an evaluation waits as steps do.
    const shared = points(8).map((step) => ({ ...step, wallSeconds: 4 }));
    const one = { ...run(), evaluations: [{ ...evaluation(3, 0.5), seconds: 40 }] };
    expect(texts(one, inTurn(shared, { 4: 70 }))).toEqual([]);
    expect(texts(one, inTurn(points(8), { 4: 150 }))).toHaveLength(1);
    // Between the parent's third step and the fork's first lies as much time as one likes.
    const fork = run({ forkOf: { run: 'parent', step: 3, epoch: null } });
    expect(texts(fork, inTurn(points(8), { 2: 60, 4: 3600 }))).toEqual([]);
    expect(texts(fork, inTurn(points(8), { 4: 3600, 6: 30 }))).toHaveLength(1);
  });
});

it('marks changed settings with what they were and are', () => {
  const settings = [{ key: 'learningRate', from: 4e-4, to: 1e-4, fromStep: 7 }];
  expect(runMarks(run({ settings }), points(8))).toEqual([
    {
      number: 1,
      step: 6,
      at: null,
      kind: 'changed',
      text: 'learningRate 0.0004 → 0.0001 from step 7 on',
    },
  ]);
});
