/**
 * Draws a run's learning curve: held-out exact match with its 95% interval, and mastery of the sub-tasks, both over generated
 * tokens. The same run gives the same bytes; no script, no font of its own, light and dark by the reader's preference.
 *
 *     node --import tsx bench/learning-curve-svg.ts RUN FILE.svg [DATA_FOLDER]
 */
import { writeFile } from 'node:fs/promises';
import { ToolsampleError } from '../contracts/errors.ts';
import { SUB_TASKS } from '../contracts/reward.ts';
import type { RunStatus, StepStatus } from '../contracts/run-status.ts';
import { findRunId } from '../cli/run-reference.ts';
import { openRuns } from '../run-reader.ts';
import { escaped, panelElements, text, type Line, type Panel } from './line-panel.ts';

const WIDTH = 960;
const HEIGHT = 360;
const PLOT = { top: 62, width: 300, height: 230 } as const;
const LEFT_OF_PANELS = [56, 546] as const;

/** Told apart by all common kinds of colour vision, on light and on dark ground. */
const SPLIT_COLOURS = ['#1f77b4', '#d17a00'] as const;
const TASK_COLOURS = {
  format: '#1f77b4',
  name: '#d17a00',
  key: '#1a9e77',
  value: '#b8519e',
} as const;
const TASK_LABELS = { format: 'format', name: 'names', key: 'keys', value: 'values' } as const;

const STYLE = `
  text { font: 13px system-ui, sans-serif; }
  .ground { fill: #ffffff; } .text { fill: #1f2328; } .quiet { fill: #59636e; }
  .grid { stroke: #d1d9e0; stroke-width: 1; }
  .title { font-weight: 600; font-size: 14px; } .end { text-anchor: end; } .middle { text-anchor: middle; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; } .text { fill: #f0f6fc; } .quiet { fill: #9198a1; } .grid { stroke: #30363d; }
  }`;

/** The picture of a run. `steps`: all committed ones, in order. */
function learningCurveSvg(status: RunStatus, steps: readonly StepStatus[]): string {
  const tokensAfter = new Map([[0, 0]]);
  let tokens = 0;
  for (const step of steps) tokensAfter.set(step.step, (tokens += step.generatedTokens));
  const panels = [
    exactMatchPanel(status, tokensAfter, tokens),
    masteryPanel(steps, tokensAfter, tokens),
  ];
  const description = `${status.run}: ${status.step} of ${status.totalSteps} steps, ${tokens.toLocaleString('en-US')} generated tokens`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img">`,
    `<title>Learning curve of the run ${escaped(description)}</title>`,
    `<style>${STYLE}\n</style>`,
    `<rect class="ground" width="${WIDTH}" height="${HEIGHT}" rx="8"/>`,
    text(16, 24, description, 'quiet'),
    ...panels.flatMap((panel, i) =>
      panelElements(panel, { ...PLOT, left: LEFT_OF_PANELS[i] ?? 0 }),
    ),
    '</svg>',
    '',
  ].join('\n');
}

function exactMatchPanel(
  { evaluations }: RunStatus,
  tokensAfter: ReadonlyMap<number, number>,
  xHigh: number,
): Panel {
  const splits = [...new Set(evaluations.map(({ split }) => split))];
  return {
    title: 'Exact match on held-out tasks, 95% interval',
    xTitle: 'generated tokens',
    xHigh,
    yLow: 0,
    lines: splits.map((split, i) => ({
      label: `${split}, n = ${evaluations.find((each) => each.split === split)?.n ?? 0}`,
      colour: SPLIT_COLOURS[i % SPLIT_COLOURS.length] ?? SPLIT_COLOURS[0],
      style: i === 0 ? 'band' : 'whiskers',
      points: evaluations
        .filter((evaluation) => evaluation.split === split)
        .map(({ step, exactMatch, exactMatchLow, exactMatchHigh }) => ({
          x: tokensAfter.get(step) ?? 0,
          y: exactMatch,
          low: exactMatchLow,
          high: exactMatchHigh,
        })),
    })),
  };
}

function masteryPanel(
  steps: readonly StepStatus[],
  tokensAfter: ReadonlyMap<number, number>,
  xHigh: number,
): Panel {
  const lines = SUB_TASKS.map((task): Line => ({
    label: TASK_LABELS[task],
    colour: TASK_COLOURS[task],
    points: steps.flatMap(({ step, mastery }) => {
      const y = mastery[task];
      return y === null ? [] : [{ x: tokensAfter.get(step) ?? 0, y }];
    }),
  })).filter(({ points }) => points.length > 0);
  const lowest = Math.min(1, ...lines.flatMap(({ points }) => points.map(({ y }) => y)));
  return {
    title: 'Mastery of the sub-tasks, moving average',
    xTitle: 'generated tokens',
    xHigh,
    yLow: Math.max(0, Math.floor((lowest - 0.05) * 5) / 5),
    lines,
  };
}

const [reference, file, home] = process.argv.slice(2);
try {
  if (reference === undefined || file === undefined)
    throw new ToolsampleError('config', 'a run and a file are wanted', {
      hint: 'node --import tsx bench/learning-curve-svg.ts RUN FILE.svg [DATA_FOLDER]',
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
    await writeFile(file, learningCurveSvg(await reader.status(run), steps));
  } finally {
    await reader.close();
  }
} catch (error) {
  if (!(error instanceof ToolsampleError)) throw error;
  console.error(error.message);
  process.exitCode = error.exitCode;
}
