import { describe, expect, it } from 'vitest';
import { expectedSteps, timeLeft, tokenRate } from '../../contracts/pace.ts';
import type { RunDataStatus } from '../../contracts/run-data.ts';
import type { EvaluationStatus, RunStatus, StepStatus } from '../../contracts/run-status.ts';
import { printOutcome } from '../../cli/print-outcome.ts';
import { dataNotice } from '../../cli/render/data-lines.ts';
import { evaluationLine, stepLine } from '../../cli/render/log-line.ts';
import {
  exampleLines,
  beforeAndAfter,
  resultTable,
  statusLines,
} from '../../cli/render/outcome.ts';
import { renderPanel, type PanelState } from '../../cli/render/panel.ts';
import { sparkLine } from '../../cli/render/spark-line.ts';
import {
  bar,
  duration,
  fit,
  painter,
  printable,
  table,
  visibleWidth,
} from '../../cli/render/text.ts';

const plain = painter(false);
const coloured = painter(true);

function step(number: number, part: Partial<StepStatus> = {}): StepStatus {
  return {
    step: number,
    reward: 2.5,
    rewardStd: 1.25,
    fracRewardZeroStd: 0.25,
    groups: 20,
    keptGroups: 15,
    mastery: { format: 1, name: 0.75, key: 0.5, value: null },
    weights: { format: 0.5, name: 0.9, key: 1.1, value: 1.5 },
    generatedTokens: 4000,
    loss: 0.1,
    rolloutSeconds: 2,
    gradientSeconds: 1,
    wallSeconds: 4,
    ...part,
  };
}

function evaluation(number: number, exactMatch: number, split = 'heldout'): EvaluationStatus {
  return {
    epoch: number === 0 ? 0 : 1,
    step: number,
    split,
    n: 300,
    exactMatch,
    exactMatchLow: exactMatch - 0.05,
    exactMatchHigh: exactMatch + 0.05,
    reward: 4 * exactMatch,
    rewardLow: 4 * exactMatch - 0.2,
    rewardHigh: 4 * exactMatch + 0.2,
    scores: { format: 1, name: 0.9, key: 0.8, value: 0.7 },
    seconds: 2,
  };
}

const DATA: RunDataStatus = {
  samples: 200,
  promptLimit: 96,
  leftOut: [],
  heldOut: [{ split: 'heldout', samples: 300 }],
};

function state(part: Partial<RunStatus> = {}, rest: Partial<PanelState> = {}): PanelState {
  const steps = [step(1), step(2)];
  return {
    status: {
      run: 'dscl-1',
      state: 'running',
      withoutWorker: false,
      epoch: 1,
      step: 2,
      totalSteps: 48,
      policySha256: null,
      policyFolder: null,
      policyStep: null,
      generatedTokens: 8000,
      data: DATA,
      evaluations: [evaluation(0, 0.42)],
      lastStep: steps[1] ?? null,
      forkOf: null,
      startedAt: '2026-01-01T00:00:00Z',
      finishedAt: null,
      reason: null,
      requested: null,
      requests: [],
      settings: [],
      ...part,
    },
    steps,
    phase: null,
    work: { activity: 'gradientStep', done: 900, total: 4200, unit: 'tokens' },
    elapsed: 65,
    workflowUrl: 'http://127.0.0.1:8233/namespaces/default/workflows/dscl-1',
    hint: 'Ctrl-C stops cleanly',
    notice: null,
    ...rest,
  };
}

describe('panel', () => {
  it('shows what a glance should find', () => {
    const text = renderPanel(state(), 120, plain).join('\n');
    for (const part of [
      'dscl-1',
      'running',
      'epoch 1',
      'step 2/48',
      '3:04 left', // 46 steps of 4 s
      'gradient step: 900 of 4,200 tokens',
      'reward 2.50 ± 1.25',
      '2,000 tokens/s',
      'groups 20, dropped 5',
      'format ████████ 1.00 ×0.50',
      'key ████░░░░ 0.50',
      'value ········  – ',
      'trend   reward ▅▅',
      'name ▆▆',
      'value ··',
      'exact match (heldout)  0: 42.0%',
      'http://127.0.0.1:8233',
      'Ctrl-C',
    ])
      expect(text).toContain(part);
  });

  it('never grows wider than it may, coloured or not', () => {
    for (const width of [20, 40, 79, 80, 120, 200]) {
      for (const paint of [plain, coloured]) {
        for (const line of renderPanel(state({}, { notice: 'x'.repeat(300) }), width, paint))
          expect(visibleWidth(line)).toBeLessThanOrEqual(width);
      }
    }
  });

  it('shows the first evaluation and as many of the last as fit', () => {
    const evaluations = [0, 3, 6, 12, 24, 48].map((at) => evaluation(at, 0.4 + at / 100));
    const line = (width: number, paint = plain): string =>
      renderPanel(state({ evaluations }), width, paint).find((each) =>
        each.startsWith('exact match'),
      ) ?? '';
    const all =
      'exact match (heldout)  0: 40.0%  3: 43.0%  6: 46.0%  12: 52.0%  24: 64.0%  48: 88.0%';
    expect(line(all.length)).toBe(all);
    expect(visibleWidth(line(all.length, coloured))).toBe(all.length);
    expect(line(all.length - 1)).toBe(
      'exact match (heldout)  0: 40.0% … 6: 46.0%  12: 52.0%  24: 64.0%  48: 88.0%',
    );
    expect(line(60)).toBe('exact match (heldout)  0: 40.0% … 24: 64.0%  48: 88.0%');
    expect(line(50)).toBe('exact match (heldout)  0: 40.0% … 48: 88.0%');
  });

  it('promises nothing of a run whose worker is gone', () => {
    const lines = renderPanel(state({ withoutWorker: true }), 120, coloured);
    expect(lines[0]).toContain(coloured.yellow('running, no worker'));
    expect(lines.join('\n')).not.toMatch(/ left|gradient step/);
    const { status } = state({ withoutWorker: true });
    expect(statusLines(status, plain)[0]).toBe('dscl-1  running, no worker');
    // Only a run that is running wants one.
    expect(statusLines({ ...status, state: 'paused' }, plain)[0]).toBe('dscl-1  paused');
  });

  it('draws a run that has not begun', () => {
    const empty = state(
      { step: 0, totalSteps: 0, lastStep: null, evaluations: [] },
      { steps: [], phase: 'warm start: slice 1 of 4' },
    );
    const text = renderPanel(empty, 100, plain).join('\n');
    expect(text).toContain('warm start: slice 1 of 4');
    expect(text).not.toMatch(/NaN|undefined|null/);
  });

  it('draws how reward and mastery went', () => {
    expect(sparkLine([0, 1, 2, null, 4, 7], 8)).toBe('▁▂▃·▅█');
    expect(sparkLine([0, 2, 4, 6, 6, 8], 3)).toBe('▁▆█');
    expect(sparkLine([null, null, 0.5, 2], 2, [0, 1])).toBe('·█');
    expect(sparkLine([], 8)).toBe('');
    const steps = Array.from({ length: 100 }, (_, index) => step(index + 1, { reward: index }));
    const lines = renderPanel(state({}, { steps }), 79, plain);
    const trends = lines.slice(lines.findIndex((line) => line.startsWith('trend')));
    expect(trends[0]).toMatch(/^trend {3}reward ▁▂▂▃▄▄▅▅▆▇▇█ +format █{12} +name ▆{12}$/);
    expect(trends[1]).toMatch(/^ {8}key ▅{12} +value ·{12}$/);
  });

  it('takes the pace from the last steps', () => {
    const slowStart = [
      step(1, { wallSeconds: 1000 }),
      ...[2, 3, 4, 5, 6, 7, 8, 9].map((n) => step(n)),
    ];
    expect(timeLeft(slowStart, 19)).toBe(40);
    expect(timeLeft([], 10)).toBeNull();
    const spent = { step: 3, generatedTokens: 3000, tokenBudget: 9500 };
    expect(expectedSteps(900, spent)).toBe(10);
    expect(expectedSteps(5, spent)).toBe(5);
    expect(expectedSteps(900, { ...spent, tokenBudget: -1 })).toBe(900);
    expect(expectedSteps(900, { ...spent, step: 0, generatedTokens: 0 })).toBe(900);
    expect(tokenRate([step(1, { rolloutSeconds: 0 })])).toBeNull();
    expect(tokenRate([step(1), step(2, { generatedTokens: 8000 })])).toBe(3000);
  });
});

describe('log lines', () => {
  it('tells a step in one line', () => {
    expect(stepLine([step(1), step(2)], 48)).toBe(
      'step  2/48  reward 2.50 ± 1.25  groups 20, dropped 5  2,000 tokens/s  mastery format 1.00 · name 0.75 · key 0.50 · value –  3:04 left',
    );
  });
  it('tells an evaluation with its interval', () => {
    expect(evaluationLine(evaluation(6, 0.6))).toBe(
      'evaluation after step 6, heldout (n = 300): exact match 60.0% [55.0%, 65.0%], reward 2.40 [2.20, 2.60]',
    );
  });
});

describe('result', () => {
  const evaluations = [
    evaluation(0, 0.42),
    evaluation(0, 0.3, 'unseen'),
    evaluation(6, 0.6),
    evaluation(48, 0.76),
    evaluation(48, 0.25, 'unseen'),
  ];
  it('compares the first evaluation with the last, for each split', () => {
    expect(beforeAndAfter(evaluations).map(({ split, after }) => [split, after.step])).toEqual([
      ['heldout', 48],
      ['unseen', 48],
    ]);
    const text = resultTable(evaluations, plain).join('\n');
    expect(text).toMatch(
      /exact match +42\.0% \[37\.0%, 47\.0%\] +76\.0% \[71\.0%, 81\.0%\] +\+34\.0 points/,
    );
    expect(text).toMatch(/exact match .* −5\.0 points/);
    for (const row of ['reward', 'format', 'names', 'keys', 'values'])
      expect(text).toMatch(new RegExp(`^${row} `, 'm'));
  });
  it('says nothing when nothing can be compared', () => {
    expect(resultTable([evaluation(0, 0.4)], plain)).toEqual([]);
  });
  it('prints hostile model output harmlessly', () => {
    const answer = { completion: 'a\u001b[2Jb\u0007\nc', exactMatch: false, reward: -2 };
    const text = exampleLines(
      {
        sampleId: 's\u001b[2J',
        split: 'heldout',
        request: 'r',
        expected: 'e',
        before: answer,
        after: answer,
      },
      plain,
    ).join('\n');
    expect(text).not.toContain('\u001b');
    expect(text).toContain('a\\x1b[2Jb\\x07');
  });
});

const notice = (part: Partial<RunDataStatus>): string[] =>
  dataNotice(
    { run: 'r', data: { ...DATA, samples: 4, ...part } },
    (text) => `npx toolsample ${text}`,
  );

it('leaves no gap where the results of a run without held-out samples would be', async () => {
  const lines: string[] = [];
  const { status } = state({ state: 'completed', evaluations: [], policyFolder: '/p' });
  const terminal = {
    print: (line: string) => lines.push(line),
    note: () => {},
    paint: plain,
    outliveReader: () => {},
  };
  await printOutcome({
    context: { terminal: { ...terminal, live: false, width: () => 80 }, home: '/h', json: false },
    client: { evaluationAnswers: async () => [] },
    followed: { status, steps: [], startSeconds: 1 },
    serviceSeconds: 1,
    totalSeconds: 2,
  });
  expect(lines.slice(0, 2)).toEqual(['', 'Policy: /p']);
});

describe('what is told of the data', () => {
  const leftOut = [{ part: 'train', rows: 13, rejectedRows: 1, overlongPrompts: 8 }];

  it('is nothing where all of it is used', () => {
    expect(notice({})).toEqual([]);
  });

  it('is what is left out and why, and that nothing is held out', () => {
    expect(notice({ leftOut, heldOut: [] })).toEqual([
      '4 samples to train on; left out of 13 rows: 8 prompts over 96 tokens, 1 bad; held out: none — give --eval-data',
      expect.stringMatching(
        /^why rows are left out: npx toolsample sql "select .* where run = 'r' /,
      ),
    ]);
    expect(notice({ heldOut: [] })).toEqual([
      '4 samples to train on; held out: none — give --eval-data',
    ]);
    const held = [{ part: 'heldout', rows: 1301, rejectedRows: 1, overlongPrompts: 0 }];
    expect(notice({ leftOut: held })[0]).toBe(
      '4 samples to train on; left out of 1,301 rows of heldout: 1 bad; held out: 300 heldout',
    );
  });

  it('is in the status', () => {
    const { status } = state({ data: { ...DATA, leftOut } });
    expect(statusLines(status, plain)).toContain(
      'data: 200 samples to train on; left out of 13 rows: 8 prompts over 96 tokens, 1 bad; held out: 300 heldout',
    );
  });
});

describe('text', () => {
  it('cuts by columns, not by bytes of colour', () => {
    expect(fit('abcdef', 6)).toBe('abcdef');
    expect(fit('abcdef', 4)).toBe('abc…');
    const cut = fit(`${coloured.red('abc')}${coloured.green('def')}`, 5);
    expect(visibleWidth(cut)).toBe(5);
    expect(cut.endsWith('\u001b[39m')).toBe(true);
  });
  it('fills bars by share', () => {
    expect(bar(0.5, 4)).toBe('██░░');
    expect(bar(7, 3)).toBe('███');
    expect(bar(null, 3)).toBe('···');
  });
  it('writes durations', () => {
    expect([duration(7), duration(754), duration(3723), duration(-1)]).toEqual([
      '0:07',
      '12:34',
      '1:02:03',
      '0:00',
    ]);
  });
  it('aligns columns', () => {
    expect(
      table(
        ['a', 'n'],
        [
          ['xyz', '1'],
          ['y', '22'],
        ],
        { paint: plain },
      ),
    ).toEqual(['a     n', '───  ──', 'xyz   1', 'y    22']);
  });
  it('keeps line breaks and tabs only', () => {
    expect(printable('a\n\tb\rc\u009bd')).toBe('a\n\tb\\x0dc\\x9bd');
  });
});
