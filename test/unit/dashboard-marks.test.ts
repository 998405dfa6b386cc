import { describe, expect, it } from 'vitest';
import { runMarks } from '../../dashboard/model/run-marks.ts';
import { event, points } from './support/run-points.ts';

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
      runMarks({ events, settings: [] }, points(8)).map(({ number, step, kind }) => [
        number,
        step,
        kind,
      ]),
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
    const marks = runMarks(
      { events: [event('paused', 5, 'paused after step 5')], settings: [] },
      steps,
    );
    expect(marks.map(({ step, kind }) => [step, kind])).toEqual([
      [2, 'lost'],
      [5, 'paused'],
    ]);
    expect(marks[0]?.text).toContain('stood still for 18 s in step 3');
    // Steps that all take long are no news.
    expect(
      runMarks(
        { events: [], settings: [] },
        points(8).map((each) => ({ ...each, wallSeconds: 20 })),
      ),
    ).toEqual([]);
  });
});

it('marks changed settings with what they were and are', () => {
  const settings = [{ key: 'learningRate', from: 4e-4, to: 1e-4, fromStep: 7 }];
  expect(runMarks({ events: [], settings }, points(8))).toEqual([
    {
      number: 1,
      step: 6,
      at: null,
      kind: 'changed',
      text: 'learningRate 0.0004 → 0.0001 from step 7 on',
    },
  ]);
});
