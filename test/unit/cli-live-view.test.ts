import { describe, expect, it, vi } from 'vitest';
import { followRun } from '../../cli/follow-run.ts';
import { logView, panelView, type LiveView } from '../../cli/live-view.ts';
import type { PanelState } from '../../cli/render/panel.ts';
import { painter } from '../../cli/render/text.ts';
import type { Terminal } from '../../cli/terminal.ts';
import type { EvaluationStatus, RunStatus, StepStatus } from '../../contracts/run-status.ts';

function step(number: number): StepStatus {
  return {
    step: number,
    reward: number,
    rewardStd: 0,
    fracRewardZeroStd: 0,
    groups: 4,
    keptGroups: 4,
    mastery: { format: null, name: null, key: null, value: null },
    weights: { format: 1, name: 1, key: 1, value: 1 },
    generatedTokens: 10,
    loss: 0,
    rolloutSeconds: 1,
    gradientSeconds: 1,
    wallSeconds: 2,
  };
}

function evaluation(number: number): EvaluationStatus {
  return {
    epoch: 0,
    step: number,
    split: 'heldout',
    n: 10,
    exactMatch: 0.5,
    exactMatchLow: 0.4,
    exactMatchHigh: 0.6,
    reward: 1,
    rewardLow: 0.5,
    rewardHigh: 1.5,
    scores: { format: 1, name: 1, key: 1, value: 1 },
    seconds: 1,
  };
}

function status(steps: number, evaluated: readonly number[]): RunStatus {
  return {
    run: 'r',
    state: 'running',
    withoutWorker: false,
    epoch: 1,
    step: steps,
    totalSteps: 9,
    policySha256: null,
    policyFolder: null,
    policyStep: null,
    generatedTokens: 0,
    data: {
      samples: 20,
      promptLimit: 96,
      leftOut: [],
      heldOut: [{ split: 'heldout', samples: 10 }],
    },
    evaluations: evaluated.map(evaluation),
    lastStep: steps === 0 ? null : step(steps),
    forkOf: null,
    startedAt: '',
    finishedAt: null,
    reason: null,
    requested: null,
    requests: [],
    settings: [],
  };
}

function panel(
  steps: number,
  evaluated: readonly number[],
  phase: string | null = null,
): PanelState {
  return {
    status: status(steps, evaluated),
    steps: Array.from({ length: steps }, (_, index) => step(index + 1)),
    phase,
    work: null,
    elapsed: 1,
    workflowUrl: null,
    hint: '',
    notice: null,
  };
}

function terminal(printed: string[]): Terminal {
  return {
    print: (line) => printed.push(line),
    note: (line) => printed.push(line),
    paint: painter(false),
    live: false,
    width: () => 80,
    outliveReader: () => undefined,
  };
}

const heads = (lines: readonly string[]): string[] =>
  lines.map((line) => /^(step +\d|evaluation after step \d|.*)/.exec(line)?.[1] ?? '');

describe('logView', () => {
  it('tells every step and evaluation once, in order, also those between two looks', () => {
    const printed: string[] = [];
    const view = logView(terminal(printed), null);
    view.update(panel(0, [], 'preparing'));
    view.update(panel(0, [0], 'preparing'));
    view.update(panel(1, [0]));
    view.update(panel(3, [0, 2]));
    view.update(panel(3, [0, 2]));
    expect(heads(printed)).toEqual([
      'preparing',
      'evaluation after step 0',
      'step 1',
      'step 2',
      'evaluation after step 2',
      'step 3',
    ]);
  });

  it('does not repeat what a resumed run did before', () => {
    const printed: string[] = [];
    const view = logView(terminal(printed), status(2, [0, 2]));
    view.update(panel(2, [0, 2]));
    view.update(panel(3, [0, 2]));
    expect(heads(printed)).toEqual(['step 3']);
  });

  it('tells how far work is that takes long, and no more often than that', () => {
    const printed: string[] = [];
    let seconds = 0;
    const view = logView(terminal(printed), null, () => 1000 * seconds);
    const at = (second: number, done: number): void => {
      seconds = second;
      view.update({
        ...panel(0, [], 'warm start: slice 1 of 2'),
        work: { activity: 'warmStart', done, total: 96, unit: 'steps' },
      });
    };
    at(0, 1);
    at(10, 12);
    at(31, 40);
    at(40, 50);
    at(62, 50);
    at(95, 50);
    expect(printed).toEqual([
      'warm start: slice 1 of 2',
      '  warm start: 40 of 96 steps',
      '  warm start: 50 of 96 steps',
    ]);
  });
});

describe('logView without a worker', () => {
  it('says once that none is there, when that has lasted, and when one is back', () => {
    const printed: string[] = [];
    let seconds = 0;
    const view = logView(terminal(printed), status(1, [0]), () => 1000 * seconds);
    const at = (second: number, withoutWorker: boolean): void => {
      seconds = second;
      const shown = panel(1, [0]);
      view.update({ ...shown, status: { ...shown.status, withoutWorker } });
    };
    at(0, true);
    at(4, true);
    at(5, false);
    at(6, true);
    at(15, true);
    expect(printed).toEqual([]);
    at(16, true);
    at(60, true);
    at(61, false);
    at(90, false);
    expect(printed).toEqual([
      'no worker is there; the run goes on when one is',
      'a worker is there again',
    ]);
  });
});

/** What a terminal of endless height shows after some output. */
function screen(output: string): string[] {
  const lines = [''];
  let row = 0;
  for (const [, up, clear, below, text] of output.matchAll(
    // oxlint-disable-next-line no-control-regex -- a terminal is what is played here
    /\u001b\[(\d+)A|(\u001b\[2K)|(\u001b\[0J)|([^\u001b])/g,
  )) {
    if (up !== undefined) row -= Number(up);
    else if (clear !== undefined) lines[row] = '';
    else if (below !== undefined) lines.splice(row + 1);
    else if (text === '\n') lines[++row] ??= '';
    else if (text !== '\r') lines[row] += text ?? '';
  }
  return lines.filter((line) => line !== '');
}

describe('panelView', () => {
  it('redraws in place, with lines that stay above', () => {
    let output = '';
    const view = panelView(terminal([]), (text) => {
      output += text;
    });
    view.update(panel(0, []));
    view.update(panel(1, [0]));
    view.say('the worker was started again');
    view.update(panel(2, [0]));
    const shown = screen(output);
    expect(shown[0]).toBe('the worker was started again');
    expect(shown.filter((line) => line.startsWith('r  running'))).toHaveLength(1);
    expect(shown.join('\n')).toContain('step 2/9');
    expect(shown.join('\n')).not.toContain('step 1/9');
  });
});

describe('followRun', () => {
  it('shows the run until it ends, and returns what happened meanwhile', async () => {
    const seen: PanelState[] = [];
    const said: string[] = [];
    const view: LiveView = {
      update: (state) => seen.push(state),
      say: (line) => said.push(line),
      close: () => {},
    };
    const followed = await followRun({
      client: {
        progress: async () => ({
          phase: 'epoch 1 of 1',
          epoch: 1,
          step: 0,
          totalSteps: 9,
          paused: false,
          stopping: false,
          work: { activity: 'rollout', done: 3, total: 9, unit: 'tokens' },
        }),
        steps: async (_run, after = 0) => [1, 2, 3].filter((n) => n > after).map(step),
        waitFor: async (_run, options) => {
          options?.onStatus?.(status(3, [0]));
          await vi.waitUntil(() => seen.some(({ work }) => work !== null), { timeout: 10_000 });
          return { ...status(3, [0, 3]), state: 'completed' };
        },
      },
      run: 'r',
      before: status(1, [0]),
      view,
      workflowUrl: null,
      phase: null,
      prepared: () => ['never: it was prepared before'],
      hint: '',
      notice: () => null,
      signal: new AbortController().signal,
      intervalMs: 5,
    });
    expect(followed.status.state).toBe('completed');
    expect(followed.steps.map((each) => each.step)).toEqual([2, 3]);
    expect(seen[0]?.status.state).toBe('running');
    expect(seen.at(-1)?.status.evaluations).toHaveLength(2);
    expect(seen.at(-1)?.phase).toBe('epoch 1 of 1');
    expect(seen.at(-1)?.work?.done).toBe(3);
    expect(said).toEqual([]);
  });

  it('tells of the data of a new run once, when it is prepared', async () => {
    const said: string[] = [];
    await followRun({
      client: {
        progress: async () => null,
        steps: async () => [],
        waitFor: async (_run, options) => {
          for (const now of [status(0, []), status(0, [0])]) options?.onStatus?.(now);
          return { ...status(0, [0]), state: 'completed' };
        },
      },
      run: 'r',
      before: null,
      view: { update: () => {}, say: (line) => said.push(line), close: () => {} },
      workflowUrl: null,
      phase: null,
      prepared: ({ data }) => [`${data.samples} samples`],
      hint: '',
      notice: () => null,
      signal: new AbortController().signal,
      intervalMs: 5,
    });
    expect(said).toEqual(['20 samples']);
  });
});
