/**
 * Draws a run's learning curve over generated tokens. `training`: held-out exact match with its 95% interval, and mastery of the
 * sub-tasks. `heldout`: reward and sub-tasks on the held-out samples. The same run gives the same bytes; no script, no font of
 * its own, light and dark by the reader's preference.
 *
 *     node --import tsx bench/learning-curve-svg.ts RUN FILE.svg [DATA_FOLDER [training|heldout]]
 */
import { writeFile } from 'node:fs/promises';
import { ToolsampleError } from '../contracts/errors.ts';
import { SUB_TASKS, type SubTask } from '../contracts/reward.ts';
import type { EvaluationStatus, RunStatus, StepStatus } from '../contracts/run-status.ts';
import { findRunId } from '../cli/run-reference.ts';
import { openRuns } from '../client/run-reader.ts';
import { percentText, type Line, type Panel, type Point } from '../experiments/line-panel.ts';
import { pictureSvg } from '../experiments/line-picture.ts';

/** Told apart by all common kinds of colour vision, on light and on dark ground. */
const SPLIT_COLOURS = ['#1f77b4', '#d17a00'] as const;
const TASK_COLOURS = {
  format: '#1f77b4',
  name: '#d17a00',
  key: '#1a9e77',
  value: '#b8519e',
} as const;
const TASK_LABELS = { format: 'format', name: 'names', key: 'keys', value: 'values' } as const;

/** A run and how many tokens it had generated after each step. */
interface Drawn {
  readonly status: RunStatus;
  /** All committed ones, in order. */
  readonly steps: readonly StepStatus[];
  readonly tokensAfter: ReadonlyMap<number, number>;
  readonly tokens: number;
}

/** The pictures that can be drawn, each of two panels. */
const PICTURES = {
  training: [exactMatchPanel, masteryPanel],
  heldout: [rewardPanel, heldOutTasksPanel],
} as const;
type Picture = keyof typeof PICTURES;

const isPicture = (name: string): name is Picture => Object.hasOwn(PICTURES, name);

function learningCurveSvg(
  status: RunStatus,
  steps: readonly StepStatus[],
  picture: Picture,
): string {
  const tokensAfter = new Map([[0, 0]]);
  let tokens = 0;
  for (const step of steps) tokensAfter.set(step.step, (tokens += step.generatedTokens));
  const description = `${status.run}: ${status.step} of ${status.totalSteps} steps, ${tokens.toLocaleString('en-US')} generated tokens`;
  return pictureSvg({
    title: `Learning curve of the run ${description}`,
    description,
    panels: PICTURES[picture].map((panel) => panel({ status, steps, tokensAfter, tokens })),
  });
}

const X_TITLE = 'generated tokens';
const SHARES = { yHigh: 1, yText: percentText } as const;

/** A line for each split: a band for the first, whiskers for others. */
function splitLines(
  { status, tokensAfter }: Drawn,
  value: (evaluation: EvaluationStatus) => Omit<Point, 'x'>,
): Line[] {
  const splits = [...new Set(status.evaluations.map(({ split }) => split))];
  return splits.map((split, i) => {
    const found = status.evaluations.filter((evaluation) => evaluation.split === split);
    return {
      label: `${split}, n = ${found[0]?.n ?? 0}`,
      colour: SPLIT_COLOURS[i % SPLIT_COLOURS.length] ?? SPLIT_COLOURS[0],
      style: i === 0 ? 'band' : 'whiskers',
      points: found.map((each) => ({ x: tokensAfter.get(each.step) ?? 0, ...value(each) })),
    };
  });
}

function exactMatchPanel(drawn: Drawn): Panel {
  return {
    title: 'Exact match on held-out tasks, 95% interval',
    xTitle: X_TITLE,
    xHigh: drawn.tokens,
    yLow: 0,
    ...SHARES,
    lines: splitLines(drawn, ({ exactMatch, exactMatchLow, exactMatchHigh }) => ({
      y: exactMatch,
      low: exactMatchLow,
      high: exactMatchHigh,
    })),
  };
}

/** Rewards lie between −3 and 4 (DSCL). */
function rewardPanel(drawn: Drawn): Panel {
  return {
    title: 'Reward on held-out tasks, 95% interval',
    xTitle: X_TITLE,
    xHigh: drawn.tokens,
    yLow: -3,
    yHigh: 4,
    yText: (value) => String(value).replace('-', '−'),
    lines: splitLines(drawn, ({ reward, rewardLow, rewardHigh }) => ({
      y: reward,
      low: rewardLow,
      high: rewardHigh,
    })),
  };
}

function masteryPanel({ steps, tokensAfter, tokens }: Drawn): Panel {
  const lines = taskLines((task) =>
    steps.flatMap(({ step, mastery }) => {
      const y = mastery[task];
      return y === null ? [] : [{ x: tokensAfter.get(step) ?? 0, y }];
    }),
  );
  return sharesPanel('Mastery of the sub-tasks, moving average', lines, tokens);
}

function heldOutTasksPanel({ status, tokensAfter, tokens }: Drawn): Panel {
  const split = status.evaluations[0]?.split;
  const found = status.evaluations.filter((evaluation) => evaluation.split === split);
  const lines = taskLines((task) =>
    found.map(({ step, scores }) => ({ x: tokensAfter.get(step) ?? 0, y: scores[task] })),
  );
  return sharesPanel('Sub-tasks on held-out tasks, mean scores', lines, tokens);
}

function taskLines(points: (task: SubTask) => readonly Point[]): Line[] {
  return SUB_TASKS.map((task) => ({
    label: TASK_LABELS[task],
    colour: TASK_COLOURS[task],
    points: points(task),
  })).filter((line) => line.points.length > 0);
}

function sharesPanel(title: string, lines: readonly Line[], xHigh: number): Panel {
  const lowest = Math.min(1, ...lines.flatMap(({ points }) => points.map(({ y }) => y)));
  const yLow = Math.max(0, Math.floor((lowest - 0.05) * 5) / 5);
  return { title, xTitle: X_TITLE, xHigh, yLow, ...SHARES, lines };
}

const [reference, file, home, picture = 'training'] = process.argv.slice(2);
try {
  if (reference === undefined || file === undefined || !isPicture(picture))
    throw new ToolsampleError('config', 'a run, a file and perhaps a picture are wanted', {
      hint: 'node --import tsx bench/learning-curve-svg.ts RUN FILE.svg [DATA_FOLDER [training|heldout]]',
    });
  const reader = await openRuns({ home });
  try {
    const run = findRunId(
      reference,
      (await reader.runs()).map((each) => each.run),
    );
    const steps = await reader.steps(run);
    if (steps.length === 0)
      throw new ToolsampleError('not-found', `run ${run} has finished no step yet`);
    await writeFile(file, learningCurveSvg(await reader.status(run), steps, picture));
  } finally {
    await reader.close();
  }
} catch (error) {
  if (!(error instanceof ToolsampleError)) throw error;
  console.error(error.message);
  process.exitCode = error.exitCode;
}
